package mio

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	ora "github.com/sijms/go-ora/v2"
	"github.com/sijms/go-ora/v2/network"

	"kopir/mappings"
)

// columnsOf describes columns as a catalog would: name and type in turn.
func columnsOf(d *Dialect, pairs ...string) *table {
	t := &table{sql: d.quote("SOC") + "." + d.quote("APPL")}
	for i := 0; i < len(pairs); i += 2 {
		t.Columns = append(t.Columns, d.describe(pairs[i], pairs[i+1]))
	}
	return t
}

// The statements for databases that do not run here, as they go out.
func TestStatements(t *testing.T) {
	for _, c := range []struct {
		d     *Dialect
		types []string
		want  []string
	}{
		{&sqlserver, []string{"NO", "nvarchar(20)", "FILED", "datetime2", "BORN", "date", "SEEN", "datetimeoffset"}, []string{
			`INSERT INTO [SOC].[APPL] ([NO], [FILED], [BORN], [SEEN]) VALUES (@p1, @p2, @p3, @p4) | A-1 2026-11-25T09:00:00.250 1990-01-31 2026-11-25T04:00:00.250+00:00`,
			`SELECT [FILED] FROM [SOC].[APPL] WHERE [NO] = @p1 | A-1`,
			`SELECT [NO], [FILED] FROM [SOC].[APPL] WHERE [NO] IN (@p1, @p2) | A-1 A-1`,
			`UPDATE [SOC].[APPL] SET [FILED] = @p1 WHERE [NO] = @p2 AND [BORN] = @p3 | 2026-11-25T09:00:00.250 A-1 1990-01-31`,
			`SELECT [NO], [FILED] FROM [SOC].[APPL] WHERE [FILED] IS NOT NULL ORDER BY [FILED], [NO] OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY | `,
			`SELECT [NO], [FILED] FROM [SOC].[APPL] WHERE [FILED] >= @p1 AND ([FILED] > @p2 OR [NO] > @p3) ORDER BY [FILED], [NO] OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY | x x A`,
		}},
		{&oracle, []string{"NO", "CHAR(6)", "FILED", "TIMESTAMP(6)", "BORN", "DATE", "SEEN", "TIMESTAMP(6) WITH TIME ZONE"}, []string{
			`INSERT INTO "SOC"."APPL" ("NO", "FILED", "BORN", "SEEN") VALUES (:1, TO_TIMESTAMP(:2, 'YYYY-MM-DD HH24:MI:SS.FF'), TO_TIMESTAMP(:3, 'YYYY-MM-DD HH24:MI:SS.FF'), TO_TIMESTAMP_TZ(:4, 'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM')) | A-1    2026-11-25 09:00:00.250 1990-01-31 00:00:00.000 2026-11-25 04:00:00.250 +00:00`,
			`SELECT "FILED" FROM "SOC"."APPL" WHERE "NO" = :1 | A-1   `,
			`SELECT "NO", "FILED" FROM "SOC"."APPL" WHERE "NO" IN (:1, :2) | A-1    A-1   `,
			`UPDATE "SOC"."APPL" SET "FILED" = TO_TIMESTAMP(:1, 'YYYY-MM-DD HH24:MI:SS.FF') WHERE "NO" = :2 AND "BORN" = TO_TIMESTAMP(:3, 'YYYY-MM-DD HH24:MI:SS.FF') | 2026-11-25 09:00:00.250 A-1    1990-01-31 00:00:00.000`,
			`SELECT * FROM (SELECT "NO", "FILED" FROM "SOC"."APPL" WHERE "FILED" IS NOT NULL ORDER BY "FILED", "NO") WHERE ROWNUM <= 5 | `,
			`SELECT * FROM (SELECT "NO", "FILED" FROM "SOC"."APPL" WHERE "FILED" >= TO_TIMESTAMP(:1, 'YYYY-MM-DD HH24:MI:SS.FF') AND ("FILED" > TO_TIMESTAMP(:2, 'YYYY-MM-DD HH24:MI:SS.FF') OR "NO" > :3) ORDER BY "FILED", "NO") WHERE ROWNUM <= 5 | x x A`,
		}},
	} {
		tab := columnsOf(c.d, c.types...)
		m := &DB{d: c.d, zone: time.FixedZone("", 5*3600)}
		when := moment(at.Add(250 * time.Millisecond))
		var cells []cell
		for i, v := range []datum{{kind: "code", text: "A-1"}, when, {kind: "date", text: "1990-01-31"}, when} {
			one, err := m.cell(tab, tab.Columns[i].Name, v)
			if err != nil {
				t.Fatal(err)
			}
			cells = append(cells, one)
		}
		key, filed := &tab.Columns[0], &tab.Columns[1]
		got := []*statement{
			c.d.insert(tab, cells),
			c.d.selectBy(tab, []*mappings.Column{filed}, cells[0]),
			c.d.selectAny(tab, []*mappings.Column{key, filed}, []cell{cells[0], cells[0]}),
			c.d.update(tab, cells[1:2], []cell{cells[0], cells[2]}),
			c.d.after(tab, key, filed, &place{}, 5),
			c.d.after(tab, key, filed, &place{"x", "A"}, 5),
		}
		for i, s := range got {
			if text := s.text.String() + " | " + strings.TrimSuffix(fmt.Sprintln(s.args...), "\n"); text != c.want[i] {
				t.Errorf("%s:\n%s\nwant\n%s", c.d.Name, text, c.want[i])
			}
		}
	}
}

// Values arrive in the types that drivers and columns want.
func TestBind(t *testing.T) {
	zone := time.FixedZone("", 5*3600)
	for _, c := range []struct {
		d      *Dialect
		native string
		v      datum
		want   any // an error's words where it begins with "!"
	}{
		{&postgres, "integer", datum{kind: "int", text: "5"}, "5"},
		{&postgres, "boolean", datum{kind: "bool", text: "true"}, "true"},
		{&postgres, "smallint", datum{kind: "bool", text: "true"}, "1"},
		{&postgres, "numeric(10,2)", datum{kind: "decimal", text: "85000.50"}, "85000.50"},
		{&postgres, "numeric(10,0)", datum{kind: "decimal", text: "85000.50"}, "!does not hold a decimal"},
		{&postgres, "double precision", datum{kind: "decimal", text: "1.5"}, "!does not hold a decimal"},
		{&postgres, "bigint", datum{kind: "iin", text: "001101300017"}, "!does not hold a iin"},
		{&postgres, "timestamp(3) without time zone", moment(at), "2026-11-25 09:00:00.000"},
		{&postgres, "timestamp with time zone", moment(at), "2026-11-25 04:00:00.000Z"},
		{&postgres, "date", moment(at.Add(20 * time.Hour)), "2026-11-26"},
		{&postgres, "text", moment(at), "2026-11-25 04:00:00.000"},
		{&postgres, "inet", datum{kind: "string", text: "x"}, "x"},
		{&mysql, "tinyint(1)", datum{kind: "bool", text: "false"}, int64(0)},
		{&mysql, "bit(1)", datum{kind: "bool", text: "true"}, int64(1)},
		{&mysql, "bit(1)", datum{kind: "any", text: "1"}, int64(1)},
		{&mysql, "timestamp", moment(at), "2026-11-25 04:00:00.000"},
		{&mysql, "datetime(6)", moment(at), "2026-11-25 09:00:00.000"},
		{&mysql, "int(10) unsigned", datum{kind: "int", text: "7"}, int64(7)},
		{&mysql, "varchar(5)", datum{kind: "bool", text: "true", yes: "иә", no: "жоқ"}, "иә"},
		{&sqlite, "INTEGER", datum{kind: "bool", text: "true"}, int64(1)},
		{&sqlite, "TEXT", datum{kind: "bool", text: "false"}, "0"},
		{&sqlserver, "bit", datum{kind: "bool", text: "true"}, int64(1)},
		{&sqlserver, "varchar(12)", datum{kind: "iin", text: "001101300017"}, mssql.VarChar("001101300017")},
		{&sqlserver, "nvarchar(12)", datum{kind: "iin", text: "001101300017"}, "001101300017"},
		{&sqlserver, "uniqueidentifier", datum{kind: "any", text: "a"}, "a"},
		{&oracle, "NUMBER(1,0)", datum{kind: "bool", text: "true"}, int64(1)},
		{&oracle, "CHAR(1)", datum{kind: "bool", text: "true", yes: "Y", no: "N"}, "Y"},
		{&oracle, "CHAR(4)", datum{kind: "code", text: "10"}, "10  "},
		{&oracle, "VARCHAR2(4 BYTE)", datum{kind: "code", text: "10"}, "10"},
		{&oracle, "CLOB", datum{kind: "string", text: "длинный"}, ora.Clob{String: "длинный", Valid: true}},
		{&oracle, "RAW(2000)", datum{kind: "bytes", bytes: []byte("a")}, []byte("a")},
		{&oracle, "NUMBER(5,0)", datum{kind: "code", text: "x"}, "!is no whole number"},
		{&oracle, "DATE", datum{kind: "date", text: "31.01.1990"}, "!is no date"},
	} {
		column := c.d.describe("C", c.native)
		column.Narrow = strings.HasPrefix(c.native, "varchar") && c.d == &sqlserver
		got, err := c.d.bind(&column, c.v, zone)
		if says, ok := c.want.(string); ok && strings.HasPrefix(says, "!") {
			if err == nil || !strings.Contains(err.Error(), says[1:]) || c.v.text != "x" && c.v.text != "" && strings.Contains(err.Error(), c.v.text) {
				t.Errorf("%s %s %s: %v, %v", c.d.Name, c.native, c.v.kind, got, err)
			}
			continue
		}
		if err != nil || fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", c.want, c.want) {
			t.Errorf("%s %s %s: %T %v, want %T %v; %v", c.d.Name, c.native, c.v.kind, got, got, c.want, c.want, err)
		}
	}
	blob := oracle.describe("C", "BLOB")
	if got, err := oracle.bind(&blob, datum{kind: "bytes", bytes: []byte("a")}, zone); err != nil || string(got.(ora.Blob).Data) != "a" {
		t.Errorf("%v %v", got, err)
	}
	if c := oracle.describe("C", "VARCHAR2(120 BYTE)"); c.Length != 120 || !c.Bytes {
		t.Errorf("%+v", c)
	}
}

// An error says what it means and names no value of the row.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		d    *Dialect
		err  error
		want Class
	}{
		{&postgres, &pgconn.PgError{Code: "23505", Message: "x 900101300017", Detail: "Key (iin)=(900101300017)", ConstraintName: "person_iin_key"}, Duplicate},
		{&postgres, &pgconn.PgError{Code: "22P02", Message: `invalid input: "900101300017"`}, Refused},
		{&postgres, &pgconn.PgError{Code: "08006"}, Lost},
		{&postgres, &pgconn.PgError{Code: "57P01"}, Lost},
		{&postgres, &pgconn.PgError{Code: "42P01"}, Missing},
		{&postgres, &pgconn.PgError{Code: "42501"}, Denied},
		{&postgres, &pgconn.PgError{Code: "40P01"}, Busy},
		{&postgres, &pgconn.PgError{Code: "P0001"}, Refused},
		{&mysql, &mysqldriver.MySQLError{Number: 1644}, Refused},
		{&sqlserver, mssql.Error{Number: 51000}, Refused},
		{&sqlserver, mssql.Error{Number: 257}, Refused},
		{&sqlserver, mssql.Error{Number: 40501}, Lost},
		{&sqlserver, mssql.Error{Number: 3960}, Busy},
		{&oracle, &network.OracleError{ErrCode: 20001}, Refused},
		{&oracle, &network.OracleError{ErrCode: 20999}, Refused},
		{&oracle, &network.OracleError{ErrCode: 2049}, Other},
		{&oracle, &network.OracleError{ErrCode: 1092}, Lost},
		{&mysql, &mysqldriver.MySQLError{Number: 1062, Message: "Duplicate entry '900101300017'"}, Duplicate},
		{&mysql, &mysqldriver.MySQLError{Number: 1406}, Refused},
		{&mysql, &mysqldriver.MySQLError{Number: 1146}, Missing},
		{&mysql, &mysqldriver.MySQLError{Number: 1142}, Denied},
		{&mysql, mysqldriver.ErrInvalidConn, Lost},
		{&sqlserver, mssql.Error{Number: 2627, Message: "900101300017"}, Duplicate},
		{&sqlserver, mssql.Error{Number: 207}, Missing},
		{&sqlserver, mssql.Error{Number: 229}, Denied},
		{&sqlserver, mssql.Error{Number: 2628}, Refused},
		{&sqlserver, mssql.Error{Number: 1205}, Busy},
		{&oracle, &network.OracleError{ErrCode: 1, ErrMsg: "900101300017"}, Duplicate},
		{&oracle, &network.OracleError{ErrCode: 942}, Missing},
		{&oracle, &network.OracleError{ErrCode: 12899, ErrMsg: "900101300017"}, Refused},
		{&oracle, &network.OracleError{ErrCode: 1031}, Denied},
		{&oracle, &network.OracleError{ErrCode: 3113}, Lost},
		{&oracle, driver.ErrBadConn, Lost},
		{&oracle, &net.OpError{Op: "dial", Err: errors.New("refused")}, Lost},
		{&oracle, context.DeadlineExceeded, Lost},
		{&oracle, errors.New("900101300017"), Other},
	} {
		err := c.d.fault("write", "APPL", fmt.Errorf("driver: %w", c.err))
		if classOf(err) != c.want {
			t.Errorf("%s %v: %q, want %q", c.d.Name, c.err, classOf(err), c.want)
		}
		if strings.Contains(err.Error(), "900101300017") || !strings.Contains(err.Error(), "write APPL") {
			t.Errorf("%v", err)
		}
		if again := c.d.fault("commit", "", err); again != err {
			t.Errorf("an error was read twice: %v", again)
		}
	}
}

// Addresses are judged without repeating them: they may hold a password.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		driver, address string
		ok, password    bool
	}{
		{"postgres", "postgres://kopir@db:5432/mio", true, false},
		{"postgres", "host=db user=kopir dbname=mio password=hunter2", true, true},
		{"postgres", "postgres://kopir:hunter2@db/mio?sslmode=nonsense", false, true},
		{"mysql", "mysql://kopir@db/mio", true, false},
		{"mysql", "mysql://root@/mio?socket=/run/sock", true, false},
		{"mysql", "kopir:hunter2@tcp(db)/mio", false, false},
		{"sqlserver", "sqlserver://kopir:hunter2@db?database=mio", true, true},
		{"sqlserver", "sqlserver://kopir@db", false, false},
		{"oracle", "oracle://kopir@db:1521/MIO", true, false},
		{"oracle", "oracle://kopir@/MIO", false, false},
	} {
		err := CheckURL(c.driver, c.address)
		if (err == nil) != c.ok || HasPassword(c.driver, c.address) != c.password {
			t.Errorf("%s %s: %v", c.driver, c.address, err)
		}
		m, open := Open(Options{Driver: c.driver, URL: c.address}, nil)
		if (open == nil) != c.ok || strings.Contains(fmt.Sprint(err, open), "hunter2") {
			t.Errorf("%s: %v, %v", c.driver, err, open)
		}
		if open == nil {
			m.Close()
		}
	}
}
