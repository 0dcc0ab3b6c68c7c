package mio

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/sijms/go-ora/v2/network"
	sqlitedriver "modernc.org/sqlite"
)

// Class is what an error of a database means for what was tried.
type Class string

// The classes.
const (
	Other     Class = ""
	Duplicate Class = "duplicate key"
	Lost      Class = "the database cannot be reached"
	Missing   Class = "no such table or column"
	Refused   Class = "the table does not take this value"
	Denied    Class = "missing right"
	Busy      Class = "the row or the database is locked"
)

// Fault is what went wrong in a database, without its own sentence: that may
// quote values of the row.
type Fault struct {
	Op    string // write, read
	Table string
	Class Class
	Code  string // the database's own
	Where string // column or constraint, where the database names it
	Cause error  // of a fault on the way there: refused connection, end of the time
}

// Error says what happened, by the codes of the database's manual.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("mio: " + f.Op)
	if f.Table != "" {
		b.WriteString(" " + f.Table)
	}
	if f.Class != Other {
		b.WriteString(": " + string(f.Class))
	}
	if f.Where != "" {
		b.WriteString(", " + f.Where)
	}
	if f.Code != "" {
		b.WriteString(" (code " + f.Code + ")")
	}
	if f.Cause != nil {
		b.WriteString(": " + f.Cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause, where there is one.
func (f *Fault) Unwrap() error { return f.Cause }

// classOf is the class of an error that the package gave.
func classOf(err error) Class {
	var f *Fault
	if errors.As(err, &f) {
		return f.Class
	}
	return Other
}

// codeOf is the database's own code of an error that the package gave.
func codeOf(err error) string {
	var f *Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// fault reads a driver's error. One that is read already stays as it is.
func (d *Dialect) fault(op, table string, err error) error {
	var known *Fault
	if err == nil || errors.As(err, &known) {
		return err
	}
	f := &Fault{Op: op, Table: table}
	f.Code, f.Where = code(err)
	if f.Class = d.classes[f.Code]; f.Class == Other && len(f.Code) == 5 {
		f.Class = d.classes[f.Code[:2]+"*"] // the class of an SQLSTATE
	}
	var nerr net.Error
	switch {
	case f.Code != "":
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &nerr) && nerr.Timeout():
		f.Class, f.Cause = Lost, context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		f.Class, f.Cause = Lost, context.Canceled
	case errors.As(err, &nerr):
		f.Class, f.Cause = Lost, innermost(err)
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysqldriver.ErrInvalidConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		f.Class, f.Cause = Lost, errors.New("the connection was cut")
	default:
		var perr *pgconn.ConnectError
		if errors.As(err, &perr) {
			f.Class = Lost
		}
		f.Cause = fmt.Errorf("%T", innermost(err)) // its words may be those of a value
	}
	return f
}

// innermost is the system's own word: connection refused, no such host.
func innermost(err error) error {
	var sys *os.SyscallError
	var dns *net.DNSError
	switch {
	case errors.As(err, &sys):
		return sys.Err
	case errors.As(err, &dns):
		return errors.New("no such host")
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// code is the database's own code of an error, and what it names.
func code(err error) (code, where string) {
	var pg *pgconn.PgError
	var my *mysqldriver.MySQLError
	var ms mssql.Error
	var ora *network.OracleError
	var lite *sqlitedriver.Error
	switch {
	case errors.As(err, &pg):
		where = pg.ColumnName
		if where == "" {
			where = pg.ConstraintName
		}
		return pg.Code, where
	case errors.As(err, &my):
		return strconv.Itoa(int(my.Number)), ""
	case errors.As(err, &ms):
		return strconv.Itoa(int(ms.Number)), ""
	case errors.As(err, &ora):
		return strconv.Itoa(ora.ErrCode), ""
	case errors.As(err, &lite):
		code = strconv.Itoa(lite.Code())
		if m := lite.Error(); code == "1" && (strings.Contains(m, "no such table") || strings.Contains(m, "no such column") || strings.Contains(m, "has no column")) {
			code = "1 no such"
		}
		return code, ""
	}
	return "", ""
}

// classes makes a table of codes of a table of classes.
func classes(rows map[Class]string) map[string]Class {
	all := map[string]Class{}
	for class, codes := range rows {
		for code := range strings.SplitSeq(codes, ",") {
			all[code] = class
		}
	}
	return all
}

// The codes, by the manuals of the databases: SQLSTATE of PostgreSQL (a
// star stands for the rest of a class), error numbers of MariaDB and of SQL Server,
// ORA-numbers, extended result codes of SQLite. Refused are also those that the
// akimat's own triggers raise: RAISE EXCEPTION (P0001), SIGNAL (1644), RAISERROR and
// THROW (from 50000 on), RAISE_APPLICATION_ERROR (20000 to 20999).
var (
	postgresClasses = classes(map[Class]string{
		Duplicate: "23505", Lost: "08*,57P01,57P02,57P03,57P05,53*,25006,58*", Missing: "42P01,42703,3F000,3D000",
		Refused: "22*,23502,23503,23514,23P01,42804,44000,P0001", Denied: "42501,28*", Busy: "40001,40P01,55P03,57014",
	})
	mysqlClasses = classes(map[Class]string{
		Duplicate: "1062,1586", Lost: "1040,1053,1077,1080,1152,1153,1158,1159,1160,1161,1184,1203,1927,2006,2013", Missing: "1049,1054,1146",
		Refused: "1048,1216,1264,1265,1292,1364,1366,1406,1369,1411,1425,1452,1644,1690,3819,4025", Denied: "1044,1045,1142,1143,1227,1290,1370,1698", Busy: "1205,1213,1969",
	})
	sqlserverClasses = classes(map[Class]string{
		Duplicate: "2601,2627", Lost: "4060,6005,10053,10054,10060,10928,10929,17142,40197,40501,40613,49918,49919,49920", Missing: "207,208",
		Refused: "206,220,241,242,245,257,515,547,550,2628,8114,8115,8152,50*,51*,52*,53*,54*,55*,56*,57*,58*,59*,60*,70*,80*,90*,99*", Denied: "229,230,262,916,18456", Busy: "1205,1222,3960,41302,41305,41325",
	})
	oracleClasses = classes(map[Class]string{
		Duplicate: "1", Lost: "28,1012,1033,1034,1089,1090,1092,2396,3113,3114,3135,12153,12170,12505,12514,12516,12518,12519,12520,12526,12527,12528,12537,12541,12543,12545,12571", Missing: "904,942",
		Refused: "932,1400,1401,1402,1407,1426,1438,1461,1722,1830,1839,1841,1843,1847,1850,1851,1852,1858,1861,2290,2291,12899,20*", Denied: "1017,1031,1045,28000,28001,41900", Busy: "54,60,8177,30006",
	})
	sqliteClasses = classes(map[Class]string{
		Duplicate: "1555,2067", Lost: "10,13,14,26", Missing: "1 no such",
		Refused: "19,20,275,531,787,1043,1299,1811,3091", Denied: "3,8,23", Busy: "5,6,261,262,517",
	})
)
