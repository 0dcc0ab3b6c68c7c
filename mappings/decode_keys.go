package mappings

import (
	"reflect"
	"strings"
)

// keyTag reads the struct tag yaml:"name,required" or yaml:",key".
func keyTag(f reflect.StructField) (name string, required, isKey bool) {
	tag, ok := f.Tag.Lookup("yaml")
	if !ok {
		return "", false, false
	}
	name, option, _ := strings.Cut(tag, ",")
	return name, option == "required", option == "key"
}

func fieldByKey(t reflect.Type, key string) (int, bool) {
	for i := range t.NumField() {
		if name, _, _ := keyTag(t.Field(i)); name != "" && name == key {
			return i, true
		}
	}
	return 0, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if name, _, _ := keyTag(t.Field(i)); name != "" {
			keys = append(keys, name)
		}
	}
	return keys
}
