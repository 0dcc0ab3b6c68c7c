package xmltree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAttacks reads every trick under testdata/attacks/xml. The file beside it
// says with which code it is refused, and at which line and column.
func TestAttacks(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "attacks", "xml", "*.xml"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d tricks were found, %v", len(files), err)
	}
	met := map[Code]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".xml") + ".code")
			if err != nil {
				t.Fatal(err)
			}
			doc, err := Parse(src, Limits{})
			var e *Error
			if doc != nil || !errors.As(err, &e) {
				t.Fatalf("it was read: %v", err)
			}
			met[e.Code] = true
			if got := fmt.Sprintf("%s %d:%d", e.Code, e.Line, e.Column); got != strings.TrimSpace(string(want)) {
				t.Errorf("%s (%s), want %s", got, e.Message, want)
			}
			if e.Offset < 0 || e.Offset > len(src) || e.Message == "" || !slices.Contains(Codes(), e.Code) {
				t.Errorf("the error is not complete: %+v", e)
			}
		})
	}
	// The limits have a test of their own, the last three are not Parse's.
	for _, c := range Codes() {
		switch c {
		case TooLarge, TooDeep, TooManyNodes, TooManyAttributes, NameTooLong, NoSuchID, AmbiguousID, Repeated:
		default:
			if !met[c] {
				t.Errorf("no trick is refused with the code %s", c)
			}
		}
	}
}
