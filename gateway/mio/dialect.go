package mio

import (
	"strconv"
	"strings"

	"kopir/mappings"
)

// Dialect is what differs between databases, as data: statement.go, bind.go,
// catalog.go and class.go read it, and nothing else asks which database it is.
type Dialect struct {
	// Name is that of the configuration.
	Name string

	quotes [2]string
	mark   string // of a parameter; # is its number
	limit  string // ends or wraps a selection: {query}, {n}

	// Formats of times as text, which every one of these reads for its own
	// types; wrap turns such a text into a value where it must be told how.
	datetime, instant string
	wrap              map[mappings.Kind]string // # is the parameter
	moment            string                   // makes times that are text comparable; # is the column

	words  bool // parameters are text of any type, also numbers and truth values
	padded bool // CHAR is compared with its padding
	// What the driver takes for text and bytes, where that is no string or slice.
	text  func(*mappings.Column, string) any
	bytes func(*mappings.Column, []byte) any

	// kinds are the names of types that mean something else here.
	kinds map[string]mappings.Kind

	nowhere  string   // what a selection of constants is from
	user     string   // query for the own user, as GRANT names him
	usage    string   // query whether he may use a {schema}; empty: schemas have no such right
	byColumn []string // rights that are given by column

	columns string // catalog query of one table or view: {table}, {schema}
	unique  string // columns that are unique alone: {table}, {schema}
	led     string // columns with which an index begins: {table}, {schema}; empty: that is not asked

	classes map[string]Class // by the database's own code
}

// Dialects is the closed list.
func Dialects() []string {
	var names []string
	for _, d := range dialects {
		names = append(names, d.Name)
	}
	return names
}

var dialects = []*Dialect{&sqlite, &postgres, &mysql, &sqlserver, &oracle}

const (
	isoSpace = "2006-01-02 15:04:05.000"
	isoT     = "2006-01-02T15:04:05.000"
)

var sqlite = Dialect{
	Name: "sqlite", quotes: [2]string{`"`, `"`}, mark: "?", limit: "{query} LIMIT {n}",
	datetime: isoSpace, instant: isoSpace,
	moment:  "strftime('%Y-%m-%d %H:%M:%f', #)",
	columns: sqliteColumns, unique: sqliteUnique, classes: sqliteClasses,
}

var postgres = Dialect{
	Name: "postgres", quotes: [2]string{`"`, `"`}, mark: "$#", limit: "{query} LIMIT {n}",
	datetime: isoSpace, instant: isoSpace + "Z07:00", words: true,
	user: "SELECT quote_ident(current_user)", usage: "SELECT has_schema_privilege({schema}, 'USAGE')", byColumn: []string{"SELECT", "INSERT", "UPDATE"},
	columns: postgresColumns, unique: postgresUnique, led: postgresLed, classes: postgresClasses,
}

// A TIMESTAMP of MariaDB is an instant, written and read in the zone of the
// session, which is UTC.
var mysql = Dialect{
	Name: "mysql", quotes: [2]string{"`", "`"}, mark: "?", limit: "{query} LIMIT {n}",
	datetime: isoSpace, instant: isoSpace,
	kinds:   map[string]mappings.Kind{"timestamp": mappings.InstantKind},
	nowhere: " FROM DUAL", byColumn: []string{"SELECT", "INSERT", "UPDATE"},
	user:    "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))",
	columns: mysqlColumns, unique: mysqlUnique, led: mysqlLed, classes: mysqlClasses,
}

var sqlserver = Dialect{
	Name: "sqlserver", quotes: [2]string{"[", "]"}, mark: "@p#", limit: "{query} OFFSET 0 ROWS FETCH NEXT {n} ROWS ONLY",
	datetime: isoT, instant: isoT + "-07:00", text: sqlserverText,
	kinds: map[string]mappings.Kind{"timestamp": mappings.OtherKind}, // a row version
	user:  "SELECT QUOTENAME(USER_NAME())", byColumn: []string{"SELECT", "UPDATE"},
	columns: sqlserverColumns, unique: sqlserverUnique, classes: sqlserverClasses,
}

// ROWNUM, because FETCH FIRST is new in 12c. A DATE of Oracle has a time of day.
var oracle = Dialect{
	Name: "oracle", quotes: [2]string{`"`, `"`}, mark: ":#", limit: "SELECT * FROM ({query}) WHERE ROWNUM <= {n}",
	datetime: isoSpace, instant: isoSpace + " -07:00", padded: true, text: oracleText, bytes: oracleBytes,
	wrap: map[mappings.Kind]string{
		mappings.DateTimeKind: "TO_TIMESTAMP(#, 'YYYY-MM-DD HH24:MI:SS.FF')",
		mappings.InstantKind:  "TO_TIMESTAMP_TZ(#, 'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM')",
	},
	nowhere: " FROM DUAL", user: `SELECT '"' || USER || '"' FROM DUAL`, byColumn: []string{"INSERT", "UPDATE"},
	kinds:   map[string]mappings.Kind{"date": mappings.DateTimeKind, "long": mappings.OtherKind, "long raw": mappings.OtherKind},
	columns: oracleColumns, unique: oracleUnique, classes: oracleClasses,
}

// kinds by the names that databases give their types.
var kinds = func() map[string]mappings.Kind {
	all := map[string]mappings.Kind{}
	for kind, names := range map[mappings.Kind]string{
		mappings.TextKind: "char,character,nchar,bpchar,varchar,character varying,nvarchar,varchar2,nvarchar2,string,citext," +
			"text,tinytext,mediumtext,longtext,ntext,clob,nclob,enum,uuid,uniqueidentifier",
		mappings.IntKind:      "int,integer,tinyint,smallint,mediumint,bigint,int2,int4,int8",
		mappings.DecimalKind:  "number,numeric,decimal,dec,money,smallmoney",
		mappings.FloatKind:    "float,real,double,double precision,binary_float,binary_double",
		mappings.BoolKind:     "bool,boolean,bit",
		mappings.DateKind:     "date",
		mappings.DateTimeKind: "datetime,datetime2,smalldatetime,timestamp,timestamp without time zone",
		mappings.InstantKind:  "timestamptz,timestamp with time zone,timestamp with local time zone,datetimeoffset",
		mappings.BytesKind:    "blob,tinyblob,mediumblob,longblob,bytea,binary,varbinary,image,raw",
	} {
		for name := range strings.SplitSeq(names, ",") {
			all[name] = kind
		}
	}
	return all
}()

// fixedTypes are those that are padded with spaces.
var fixedTypes = map[string]bool{"char": true, "character": true, "nchar": true, "bpchar": true}

// quote makes an identifier of a name that the catalog gave.
func (d *Dialect) quote(name string) string {
	return d.quotes[0] + strings.ReplaceAll(name, d.quotes[1], d.quotes[1]+d.quotes[1]) + d.quotes[1]
}

// param is the n-th parameter of a statement, as a value for a column of a kind.
func (d *Dialect) param(n int, kind mappings.Kind) string {
	p := strings.ReplaceAll(d.mark, "#", strconv.Itoa(n))
	if w := d.wrap[kind]; w != "" {
		p = strings.ReplaceAll(w, "#", p)
	}
	return p
}

// atMost gives the first n rows of an ordered selection.
func (d *Dialect) atMost(query string, n int) string {
	return strings.NewReplacer("{query}", query, "{n}", strconv.Itoa(n)).Replace(d.limit)
}
