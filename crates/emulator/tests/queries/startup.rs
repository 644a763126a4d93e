//! What drivers and tools ask when they connect.

use crate::fixture::{ask, expect};

#[test]
fn drivers_ask_who_and_what_they_reached() {
    expect(
        1,
        &[
            ("SELECT CASE WHEN @@SPID > 0 THEN 1 END", "1"),
            ("select @@trancount", "0"),
            ("SELECT @@ERROR", "0"),
            ("SELECT @@LANGUAGE", "us_english"),
            ("SELECT @@MAX_PRECISION", "38"),
            ("SELECT CAST(SERVERPROPERTY('EngineEdition') AS int)", "6"),
            ("SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS INT) AS v", "12"),
            ("SELECT SERVERPROPERTY('InstanceName')", "NULL"),
            (
                "SELECT CASE WHEN CAST(SERVERPROPERTY('EDITION') AS nvarchar(128)) = N'SQL Azure' THEN 2 ELSE 1 END",
                "2",
            ),
            ("SELECT DB_NAME()", "dw"),
            ("SELECT DB_ID('DW'), DB_ID('other')", "5|NULL"),
            ("SELECT DATABASEPROPERTYEX(DB_NAME(), 'Edition')", "DataWarehouse"),
            ("SELECT DATABASEPROPERTYEX('nowhere', 'Edition')", "NULL"),
            (
                "SELECT SUSER_SNAME(), USER_NAME(), CURRENT_USER, SYSTEM_USER, ORIGINAL_LOGIN()",
                "sa|dbo|dbo|sa|sa",
            ),
            ("SELECT SCHEMA_NAME()", "dbo"),
            ("SELECT CASE WHEN SESSION_ID() LIKE 'SID[0-9]%' THEN 1 END", "1"),
            ("SELECT HOST_NAME(), APP_NAME()", "station|tests"),
            ("SELECT (SELECT 1) AS one", "1"),
            ("SELECT 1 WHERE 1 = 0", ""),
            ("SELECT @@nothing", "error 137"),
        ],
    );
    assert!(ask("SELECT @@VERSION").starts_with("Microsoft Azure SQL Data Warehouse - 10.0"));
}

#[test]
fn python_tds_and_freetds_ask_for_plain_constants() {
    expect(
        1,
        &[
            ("select 1", "1"),
            ("SELECT @@VERSION AS v WHERE 1=0", ""),
            (
                "select cast('abc' as varchar(10)), cast(N'abc' as nvarchar(10)), cast(null as int)",
                "abc|abc|NULL",
            ),
            ("select cast(12345.55 as money)", "12345.5500"),
            ("select user_name(), suser_sname(), db_name()", "dbo|sa|dw"),
            ("select convert(sysname, serverproperty(N'servername'))", "axon-emulator"),
            ("select name from sys.databases where database_id > 4", "dw"),
            ("SELECT schema_name()", "dbo"),
            ("SELECT IS_MEMBER('db_owner')", "1"),
            ("SELECT CAST('test plain returns' AS VARCHAR(60)) AS anon_1", "test plain returns"),
            ("SELECT CAST(N'unicode' AS NVARCHAR(60)) AS anon_1", "unicode"),
            ("SELECT value FROM sys.configurations WHERE name = N'user options'", ""),
        ],
    );
}
