package soap

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shape is what a field holds.
type shape int

const (
	textShape shape = iota
	enumShape
	timeShape
	intShape
	dataShape
	groupShape
	ignoredShape
)

// field is one element of a wire type, read from its tag.
type field struct {
	name     string
	index    int
	shape    shape
	group    reflect.Type // of groupShape: the struct
	values   []string     // of enumShape
	repeated bool
	optional bool
	tolerate bool
	filled   bool
	exact    bool
	guid     bool
	max      int // in reading and building, 0 for none
	maxOut   int // in building only
}

var (
	timeType = reflect.TypeFor[time.Time]()
	dataType = reflect.TypeFor[Data]()
	plans    sync.Map // reflect.Type -> []field
)

// plan gives the elements of a wire type in the schema's order.
func plan(t reflect.Type) []field {
	if known, ok := plans.Load(t); ok {
		return known.([]field)
	}
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		fields = append(fields, planField(t, i))
	}
	plans.Store(t, fields)
	return fields
}

// planField panics on a tag that means nothing: it is part of the program.
func planField(owner reflect.Type, i int) field {
	sf := owner.Field(i)
	name, options, _ := strings.Cut(sf.Tag.Get("wire"), ",")
	f := field{name: name, index: i}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "optional":
			f.optional = true
		case "tolerate":
			f.tolerate = true
		case "filled":
			f.filled = true
		case "exact":
			f.exact = true
		case "guid":
			f.guid = true
		case "ignored":
			f.shape, f.optional = ignoredShape, true
		case "max":
			f.max = mustAtoi(value)
			f.maxOut = f.max
		case "max-out":
			f.maxOut = mustAtoi(value)
		default:
			panic(fmt.Sprintf("soap: %s.%s: unknown option %q", owner, sf.Name, option))
		}
	}
	if name == "" {
		panic(fmt.Sprintf("soap: %s.%s has no wire name", owner, sf.Name))
	}
	if f.shape == ignoredShape {
		return f
	}
	t := sf.Type
	switch t.Kind() {
	case reflect.Slice:
		f.repeated, f.optional, t = true, true, t.Elem()
	case reflect.Pointer:
		t = t.Elem()
	}
	switch {
	case t == timeType:
		f.shape = timeShape
	case t == dataType:
		f.shape = dataShape
	case t.Kind() == reflect.Struct:
		f.shape, f.group = groupShape, t
	case t.Kind() == reflect.Int32:
		f.shape = intShape
	case t.Kind() == reflect.String:
		if list, ok := reflect.Zero(t).Interface().(interface{ values() []string }); ok {
			f.shape, f.values = enumShape, list.values()
		}
	default:
		panic(fmt.Sprintf("soap: %s.%s has type %s, which no element can hold", owner, sf.Name, t))
	}
	return f
}

func mustAtoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("soap: " + err.Error())
	}
	return n
}
