package journal

// Thing is what a part of a record has a digest of: a row of the store, or some
// of its columns, as it was recorded.
type Thing struct {
	What   string // as in Part
	ID     string
	Pieces []Piece // digested in their order
}

// Piece is one column, as its bytes are digested: texts as they stand, numbers
// in decimal, times in microseconds since 1970.
type Piece struct {
	Name    string
	Content []byte
}

// Digest is what a record has of the thing.
func (t *Thing) Digest(key []byte) Hash {
	content := make([][]byte, len(t.Pieces))
	for i, p := range t.Pieces {
		content[i] = p.Content
	}
	return Digest(key, content...)
}

// Piece is the content of a piece; nil if there is none of the name.
func (t *Thing) Piece(name string) []byte {
	for _, p := range t.Pieces {
		if p.Name == name {
			return p.Content
		}
	}
	return nil
}
