package keystore

// OpenBounded is OpenPKCS12 with a lower ceiling on the work, so that fuzzing
// tries many files instead of many iterations.
func OpenBounded(data []byte, password string, work int) (*Key, error) {
	return openPKCS12(data, password, work)
}
