package mio

// The catalogs' queries. Each of columns gives, in the order of the table: its
// schema, its name, whether it is a view, whether its engine keeps no
// transactions, and of each column name, type with its length, whether it may be
// empty, whether the database fills it, and whether its character set lacks
// Kazakh letters. Names are compared in any case; the exact spelling comes first.
const (
	sqliteColumns = `SELECT 'main', m.name, m.type = 'view', 0, c.name, c.type, c."notnull" = 0,
		c.dflt_value IS NOT NULL OR c.hidden IN (2, 3) OR c.pk = 1 AND upper(c.type) = 'INTEGER', 0
		FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c
		WHERE m.type IN ('table', 'view') AND lower(m.name) = lower({table}) AND lower({schema}) IN ('', 'main')
		ORDER BY m.name <> {table}, m.name, c.cid`
	sqliteUnique = `SELECT i.name FROM pragma_index_list({table}) l JOIN pragma_index_info(l.name) i
		WHERE l."unique" = 1 AND l.partial = 0 AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1 AND {schema} <> ''
		UNION SELECT name FROM pragma_table_info({table}) WHERE pk = 1 AND (SELECT count(*) FROM pragma_table_info({table}) WHERE pk > 0) = 1`

	postgresColumns = `SELECT n.nspname, c.relname, CASE WHEN c.relkind IN ('v', 'm') THEN 1 ELSE 0 END, 0, a.attname,
		CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END,
		CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE 1 END,
		CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END,
		CASE WHEN pg_encoding_to_char(d.encoding) = 'UTF8' THEN 0 ELSE 1 END
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_type t ON t.oid = a.atttypid JOIN pg_database d ON d.datname = current_database()
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND lower(c.relname) = lower({table})
		AND ({schema} = '' AND pg_table_is_visible(c.oid) OR lower(n.nspname) = lower({schema}))
		ORDER BY CASE WHEN c.relname = {table} THEN 0 ELSE 1 END, n.nspname, c.relname, a.attnum`
	postgresUnique = `SELECT a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		WHERE i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND c.relname = {table} AND n.nspname = {schema}`
	postgresLed = `SELECT a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE i.indisvalid AND c.relname = {table} AND n.nspname = {schema}`

	mysqlColumns = `SELECT c.TABLE_SCHEMA, c.TABLE_NAME, t.TABLE_TYPE LIKE '%VIEW%', COALESCE(t.ENGINE IN ('MyISAM', 'Aria', 'MEMORY', 'CSV', 'ARCHIVE'), 0),
		c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE = 'YES',
		c.COLUMN_DEFAULT IS NOT NULL OR c.EXTRA LIKE '%auto_increment%' OR c.EXTRA LIKE '%GENERATED%',
		c.CHARACTER_SET_NAME IS NOT NULL AND c.CHARACTER_SET_NAME NOT LIKE 'utf%' AND c.CHARACTER_SET_NAME <> 'ucs2'
		FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
		WHERE LOWER(c.TABLE_NAME) = LOWER({table}) AND LOWER(c.TABLE_SCHEMA) = LOWER(COALESCE(NULLIF({schema}, ''), DATABASE()))
		ORDER BY BINARY c.TABLE_NAME <> BINARY {table}, c.TABLE_NAME, c.ORDINAL_POSITION`
	mysqlUnique = `SELECT MAX(COLUMN_NAME) FROM information_schema.STATISTICS
		WHERE TABLE_NAME = {table} AND TABLE_SCHEMA = {schema} AND NON_UNIQUE = 0 AND SUB_PART IS NULL GROUP BY INDEX_NAME HAVING COUNT(*) = 1`
	mysqlLed = `SELECT COLUMN_NAME FROM information_schema.STATISTICS
		WHERE TABLE_NAME = {table} AND TABLE_SCHEMA = {schema} AND SEQ_IN_INDEX = 1 AND COLUMN_NAME IS NOT NULL`

	sqlserverColumns = `SELECT s.name, o.name, CASE WHEN o.type = 'V' THEN 1 ELSE 0 END, 0, c.name,
		CONCAT(t.name, CASE WHEN c.max_length > 0 AND t.name IN ('nvarchar', 'nchar') THEN CONCAT('(', c.max_length / 2, ')')
		WHEN c.max_length > 0 AND t.name IN ('varchar', 'char', 'binary', 'varbinary') THEN CONCAT('(', c.max_length, ')')
		WHEN t.name IN ('decimal', 'numeric') THEN CONCAT('(', c.precision, ',', c.scale, ')') END),
		CAST(c.is_nullable AS int), CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 OR c.is_computed = 1 THEN 1 ELSE 0 END,
		CASE WHEN t.name IN ('varchar', 'char', 'text') AND c.collation_name NOT LIKE '%UTF8%' THEN 1 ELSE 0 END
		FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
		JOIN sys.types t ON t.user_type_id = c.system_type_id
		WHERE o.type IN ('U', 'V') AND LOWER(o.name) = LOWER({table}) AND LOWER(s.name) = LOWER(COALESCE(NULLIF({schema}, ''), SCHEMA_NAME()))
		ORDER BY CASE WHEN o.name = {table} THEN 0 ELSE 1 END, o.name, c.column_id`
	sqlserverUnique = `SELECT MAX(c.name) FROM sys.indexes i JOIN sys.objects o ON o.object_id = i.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
		JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id AND x.key_ordinal > 0
		JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
		WHERE i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 AND o.name = {table} AND s.name = {schema} GROUP BY i.object_id, i.index_id HAVING COUNT(*) = 1`

	oracleColumns = `SELECT c.OWNER, c.TABLE_NAME, CASE WHEN v.VIEW_NAME IS NULL THEN 0 ELSE 1 END, 0, c.COLUMN_NAME,
		c.DATA_TYPE || CASE WHEN c.CHAR_USED IS NOT NULL THEN '(' || c.CHAR_LENGTH || CASE c.CHAR_USED WHEN 'B' THEN ' BYTE' END || ')'
		WHEN c.DATA_TYPE = 'NUMBER' AND c.DATA_PRECISION IS NOT NULL THEN '(' || c.DATA_PRECISION || ',' || c.DATA_SCALE || ')' END,
		CASE c.NULLABLE WHEN 'Y' THEN 1 ELSE 0 END, CASE WHEN c.DEFAULT_LENGTH IS NOT NULL THEN 1 ELSE 0 END,
		CASE WHEN c.CHARACTER_SET_NAME = 'CHAR_CS' AND n.VALUE NOT LIKE '%UTF%' THEN 1 ELSE 0 END
		FROM ALL_TAB_COLUMNS c LEFT JOIN ALL_VIEWS v ON v.OWNER = c.OWNER AND v.VIEW_NAME = c.TABLE_NAME
		JOIN NLS_DATABASE_PARAMETERS n ON n.PARAMETER = 'NLS_CHARACTERSET'
		WHERE UPPER(c.TABLE_NAME) = UPPER({table}) AND UPPER(c.OWNER) = UPPER(COALESCE({schema}, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')))
		ORDER BY CASE WHEN c.TABLE_NAME = {table} THEN 0 ELSE 1 END, c.TABLE_NAME, c.COLUMN_ID`
	oracleUnique = `SELECT MAX(x.COLUMN_NAME) FROM ALL_INDEXES i JOIN ALL_IND_COLUMNS x ON x.INDEX_OWNER = i.OWNER AND x.INDEX_NAME = i.INDEX_NAME
		WHERE i.UNIQUENESS = 'UNIQUE' AND i.TABLE_NAME = {table} AND i.TABLE_OWNER = {schema} GROUP BY i.OWNER, i.INDEX_NAME HAVING COUNT(*) = 1
		UNION SELECT MAX(x.COLUMN_NAME) FROM ALL_CONSTRAINTS k JOIN ALL_CONS_COLUMNS x ON x.OWNER = k.OWNER AND x.CONSTRAINT_NAME = k.CONSTRAINT_NAME
		WHERE k.CONSTRAINT_TYPE IN ('P', 'U') AND k.TABLE_NAME = {table} AND k.OWNER = {schema} GROUP BY k.OWNER, k.CONSTRAINT_NAME HAVING COUNT(*) = 1`
)
