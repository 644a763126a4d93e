use proptest::prelude::*;

use super::*;
use crate::sql::ast::{PermissionStatement, Target, Verb};

fn dedicated(source: &str) -> Result<Vec<Statement>, ServerError> {
    parse(source, PoolKind::Dedicated)
}

fn text_of_error(source: &str) -> String {
    let error = dedicated(source).expect_err(source);
    assert_eq!(error.number, 103_010, "{source}");
    error.message
}

fn permission(source: &str) -> PermissionStatement {
    match dedicated(source).unwrap().remove(0).kind {
        Kind::Permission(statement) => statement,
        other => panic!("{other:?}"),
    }
}

#[test]
fn statements_that_the_dedicated_parser_does_not_know() {
    assert_eq!(
        text_of_error("ALTER ROLE r ADD MEMBER m"),
        "Parse error at line: 1, column: 14: Incorrect syntax near 'ADD'."
    );
    for source in [
        "ALTER SERVER ROLE sysadmin ADD MEMBER x",
        "DROP USER IF EXISTS x",
        "DROP ROLE IF EXISTS x",
        "CREATE OR ALTER VIEW v AS SELECT 1 AS a",
        "DECLARE c CURSOR FOR SELECT 1",
        "GRANT ALL ON t TO x",
        "GRANT SELECT ON t TO x AS dbo",
        "GRANT SELECT ON ASSEMBLY::a TO x",
        "GRANT FLY ON t TO x",
        "DENY SELECT ON t TO x WITH GRANT OPTION",
        "CREATE USER x FROM EXTERNAL PROVIDER WITH OBJECT_ID = 'a'",
        "CREATE USER x WITH PASSWORD = 'p'",
        "CREATE LOGIN [x] FROM EXTERNAL PROVIDER",
        "EXECUTE AS LOGIN = 'x'",
        "EXECUTE AS CALLER",
        "EXEC sp_addrolemember N'r', QUOTENAME(@x)",
        "BEGIN TRAN t1",
        "SAVE TRANSACTION x",
        "GOTO x",
        "WAITFOR DELAY '0:0:1'",
        "KILL 51",
        "FROBNICATE",
        "hello 'world'",
        "SET ROWCOUNT 5",
        "CREATE TABLE #t (a int)",
        "MERGE t USING s ON 1 = 1 WHEN MATCHED THEN DELETE",
        "DROP USER a, b",
        "CREATE USER select FROM EXTERNAL PROVIDER",
    ] {
        text_of_error(source);
    }
}

#[test]
fn serverless_speaks_the_other_dialect() {
    for source in [
        "ALTER ROLE [r] ADD MEMBER [m]",
        "ALTER ROLE r DROP MEMBER m",
        "ALTER SERVER ROLE sysadmin ADD MEMBER [x]",
        "DROP ROLE IF EXISTS r",
        "CREATE LOGIN [a@b] FROM EXTERNAL PROVIDER",
        "KILL 51",
    ] {
        assert_eq!(parse(source, PoolKind::Serverless).unwrap().len(), 1, "{source}");
    }
    assert_eq!(parse("KILL 'SID1'", PoolKind::Serverless).unwrap_err().number, 103_010);
}

#[test]
fn permissions_with_columns_classes_and_options() {
    let grant =
        permission("GRANT SELECT (a, [b]), VIEW DEFINITION ON OBJECT::s.t TO x, [y z] WITH GRANT OPTION");
    assert_eq!(grant.verb, Verb::Grant);
    assert_eq!(
        grant.actions,
        [
            (crate::catalog::permission::Action::Select, vec!["a".to_owned(), "b".to_owned()]),
            (crate::catalog::permission::Action::ViewDefinition, Vec::new()),
        ]
    );
    assert_eq!(grant.target, Target::Object(vec!["s".into(), "t".into()]));
    assert_eq!(grant.principals, ["x", "y z"]);
    assert!(grant.with_grant_option);
    let revoke = permission("REVOKE GRANT OPTION FOR SELECT ON SCHEMA::s FROM x CASCADE");
    assert!(revoke.grant_option_for && revoke.cascade);
    assert_eq!(permission("revoke select on t(c) to public").columns, ["c"]);
    assert_eq!(permission("DENY CONNECT TO x").target, Target::Database(None));
}

#[test]
fn names_are_taken_exactly() {
    let parsed = dedicated("CREATE ROLE [x]]; DROP USER [dbo]]--]").unwrap();
    assert!(matches!(&parsed[0].kind, Kind::CreateRole { name, .. } if name == "x]; DROP USER [dbo]--"));
    assert_eq!(parsed.len(), 1);
}

#[test]
fn rules_of_batches() {
    let error = dedicated("SELECT 1; CREATE VIEW v AS SELECT 1 AS a").unwrap_err();
    assert_eq!(error.number, 111);
    assert_eq!(error.message, "'CREATE VIEW' must be the first statement in a query batch.");
    assert_eq!(dedicated("CREATE USER a FOR LOGIN l; SELECT 1").unwrap_err().number, 40530);
    assert_eq!(
        dedicated("IF EXISTS (SELECT 1 AS a) CREATE LOGIN l WITH PASSWORD = 'p'").unwrap_err().number,
        40530
    );
    assert_eq!(dedicated("GRANT SELECT TO a GRANT SELECT TO b; PRINT 'x'").unwrap().len(), 3);
    assert_eq!(dedicated("GRANT SELECT TO a; FROB").unwrap_err().number, 103_010);
    assert!(dedicated(" ;; -- nothing\n").unwrap().is_empty());
}

#[test]
fn control_flow_nests_up_to_a_limit() {
    let source = "IF NOT EXISTS (SELECT * FROM sys.database_principals WHERE name = N'r') EXEC('CREATE ROLE [r]') \
                  ELSE BEGIN PRINT 'a'; BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW END CATCH END";
    assert_eq!(dedicated(source).unwrap().len(), 1);
    let deep = "BEGIN ".repeat(500);
    assert_eq!(dedicated(&deep).unwrap_err().number, 191);
    let ifs = "IF 1 = 1 ".repeat(500);
    assert_eq!(dedicated(&ifs).unwrap_err().number, 191);
}

#[test]
fn tables_and_classifiers() {
    let source = "CREATE TABLE s.t (id int NOT NULL IDENTITY(1,1), n nvarchar(20) COLLATE Latin1_General_BIN NULL, \
                  d decimal(9, 2) DEFAULT (0.5), PRIMARY KEY NONCLUSTERED (id) NOT ENFORCED) \
                  WITH (DISTRIBUTION = HASH(id), CLUSTERED COLUMNSTORE INDEX)";
    assert_eq!(dedicated(source).unwrap().len(), 1);
    assert_eq!(dedicated("CREATE TABLE t (id int PRIMARY KEY)").unwrap_err().number, 104_467);
    let classifier = "CREATE WORKLOAD CLASSIFIER c WITH (WORKLOAD_GROUP = 'mediumrc', MEMBERNAME = 'm', IMPORTANCE = HIGH)";
    assert_eq!(dedicated(classifier).unwrap().len(), 1);
    text_of_error("CREATE WORKLOAD CLASSIFIER c WITH (WORKLOAD_GROUP = 'mediumrc')");
    text_of_error(
        "CREATE WORKLOAD CLASSIFIER c WITH (WORKLOAD_GROUP = 'g', MEMBERNAME = 'm', START_TIME = '1:00')",
    );
}

/// Words and marks of which nonsense batches are made.
fn scrap() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "CREATE",
            "ALTER",
            "DROP",
            "USER",
            "ROLE",
            "GRANT",
            "DENY",
            "REVOKE",
            "ON",
            "TO",
            "FROM",
            "SELECT",
            "EXEC",
            "IF",
            "EXISTS",
            "BEGIN",
            "END",
            "TRAN",
            "TRY",
            "CATCH",
            "DECLARE",
            "SET",
            "@x",
            "=",
            "(",
            ")",
            ",",
            ".",
            "::",
            ";",
            "'t'",
            "N'u'",
            "[q]",
            "\"d\"",
            "1",
            "0xAB",
            "1.5e3",
            "int",
            "WITH",
            "AS",
            "VIEW",
            "TABLE",
            "SCHEMA",
            "LOGIN",
            "MEMBER",
            "ADD",
            "*",
            "CASE",
            "WHEN",
            "WHILE",
            "PRINT",
            "THROW",
            "KILL",
            "OPTION",
            "CASCADE",
            "FOR",
            "INSERT",
            "INTO",
            "VALUES",
            "UPDATE",
            "DELETE",
            "WHERE",
            "NULL",
            "NOT",
            "WORKLOAD",
            "CLASSIFIER",
            "AUTHORIZATION",
            "TRANSFER",
            "EXECUTE",
            "REVERT",
            "+",
            "-",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

proptest! {
    #[test]
    fn no_batch_makes_the_parser_panic(source in "\\PC{0,200}") {
        let _ = parse(&source, PoolKind::Dedicated);
        let _ = parse(&source, PoolKind::Serverless);
    }

    #[test]
    fn no_heap_of_words_makes_the_parser_panic(words in prop::collection::vec(scrap(), 0..40)) {
        let source = words.join(" ");
        let _ = parse(&source, PoolKind::Dedicated);
        let _ = parse(&source, PoolKind::Serverless);
    }

    #[test]
    fn any_bracketed_name_stays_one_name(name in "[^\\x00]{1,60}") {
        let source = format!("CREATE ROLE [{}]", name.replace(']', "]]"));
        let parsed = parse(&source, PoolKind::Dedicated).unwrap();
        prop_assert_eq!(parsed.len(), 1);
        let is_it = matches!(&parsed[0].kind, Kind::CreateRole { name: parsed, owner: None } if *parsed == name);
        prop_assert!(is_it);
    }
}
