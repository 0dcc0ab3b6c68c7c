package sim

import (
	"net/http"

	"kopir/wsdl"
)

// contract serves the WSDL and the schemas of a door with its own address.
func (s *Sim) contract(file, path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, ok := wsdl.Asked(r.URL.RawQuery, file)
		if !ok {
			http.Error(w, "This is a SOAP 1.1 address: POST a message here; GET ?wsdl shows the contract.", http.StatusMethodNotAllowed)
			return
		}
		text, err := wsdl.Serve(name, s.base+path)
		if err != nil {
			http.Error(w, "there is no such document; GET ?wsdl names all of them", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.Write(text)
	}
}
