package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"kopir/mappings"
)

// stage shows the story of `kopir run` to people: numbered steps with what was
// seen at each, in their language. Colour and the line that tells what is
// being waited for are for terminals only; a pipe gets plain lines.
type stage struct {
	out      io.Writer
	terminal bool
	colour   bool
	lang     string
	texts    *mappings.Texts
	clock    func() time.Time

	step    int
	began   time.Time
	waiting bool
	failed  []string
}

func newStage(s stdio, lang string, texts *mappings.Texts) *stage {
	t := &stage{out: s.out, lang: lang, texts: texts, clock: time.Now}
	if f, ok := s.out.(*os.File); ok {
		t.terminal = isatty.IsTerminal(f.Fd()) && s.env("TERM") != "dumb"
		t.colour = t.terminal && s.env("NO_COLOR") == ""
	}
	return t
}

// langOf picks the language of the screen: the flag, else the first of the
// locale's variables that is set, else English.
func langOf(flag string, env func(string) string) (string, error) {
	switch flag {
	case mappings.Russian, mappings.Kazakh, mappings.English:
		return flag, nil
	case "":
	default:
		return "", fmt.Errorf("unknown language %q; known: ru, kk, en", flag)
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		v := strings.ToLower(env(name))
		if v == "" {
			continue
		}
		for _, lang := range []string{mappings.Russian, mappings.Kazakh} {
			if v == lang || strings.HasPrefix(v, lang+"_") || strings.HasPrefix(v, lang+".") {
				return lang, nil
			}
		}
		break
	}
	return mappings.English, nil
}

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (t *stage) paint(code, s string) string {
	if !t.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *stage) say(key string, pairs ...any) string {
	return t.texts.Get(t.lang, "run."+key, pairs...)
}

// title opens a part of the story.
func (t *stage) title(key string, pairs ...any) {
	fmt.Fprintf(t.out, "\n%s\n\n", t.paint(bold, t.say(key, pairs...)))
}

// line is one sentence between the steps.
func (t *stage) line(key string, pairs ...any) { fmt.Fprintln(t.out, t.say(key, pairs...)) }

// begin starts a step; on a terminal its sentence stands there while it is
// being waited for.
func (t *stage) begin(key string, pairs ...any) {
	t.step++
	t.began = t.clock()
	if t.terminal {
		fmt.Fprintf(t.out, "%s %2d  %s", t.paint(dim, "…"), t.step, t.say(key, pairs...))
		t.waiting = true
	}
}

func (t *stage) clear() {
	if t.waiting {
		fmt.Fprint(t.out, "\r\x1b[K")
		t.waiting = false
	}
}

// seen ends a step that was seen to happen.
func (t *stage) seen(key string, pairs ...any) {
	t.clear()
	took := t.clock().Sub(t.began)
	text := t.say(key, pairs...)
	gap := strings.Repeat(" ", max(2, 74-utf8.RuneCountInString(text)))
	fmt.Fprintf(t.out, "%s %2d  %s%s%s\n", t.paint(green, "✓"), t.step, text, gap, t.paint(dim, fmt.Sprintf("%.2fs", took.Seconds())))
}

// lost ends a step that was not seen.
func (t *stage) lost(key string, err error, pairs ...any) {
	t.clear()
	text := t.say(key, pairs...)
	t.failed = append(t.failed, text)
	fmt.Fprintf(t.out, "%s %2d  %s\n", t.paint(red, "✗"), t.step, text)
	fmt.Fprintf(t.out, "        %s\n", t.paint(red, err.Error()))
}

// fact is what was seen at the step above.
func (t *stage) fact(key string, pairs ...any) {
	fmt.Fprintf(t.out, "        %s\n", t.say(key, pairs...))
}

// when writes a time as people in the office read it.
func (t *stage) when(at time.Time) string {
	return at.In(almaty()).Format("02.01.2006 15:04")
}

// quote sets a command apart.
func (t *stage) quote(s string) { fmt.Fprintf(t.out, "    %s\n", t.paint(cyan, s)) }

func almaty() *time.Location {
	// tzdata is linked in by package mappings.
	if l, err := time.LoadLocation("Asia/Almaty"); err == nil {
		return l
	}
	return time.FixedZone("+05", 5*3600)
}
