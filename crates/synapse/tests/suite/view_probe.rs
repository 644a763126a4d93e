//! A probe of secure views reads through the real view as its readers, and finds what is otherwise than the policy says.

use std::collections::{BTreeMap, BTreeSet};

use axon_emulator::PoolKind;
use axon_model::SqlName;
use axon_reconcile::secure::{Metadata, ProbeAnswer, ProbeCase, ProbeReader, Standing};
use axon_reconcile::view_body::{
    Cell, Literal, Order, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody, Who,
};
use axon_reconcile::{ColumnType, ObjectName, Target as _};
use axon_synapse::render::{ViewVerb, managed_schema, secure_view};

use crate::ability::Ability::{
    Clock, Dedicated, Directory, ExecuteAs, Logins, ManagedSchema, Members, ObjectGrants,
};
use crate::named::needs;
use crate::stage::{PASSWORD, Raw, Stage, Who as Person, name, run};

/// A secure view, its readers, and somebody who reads as them.
const PROBING: [crate::ability::Ability; 6] =
    [Dedicated, ManagedSchema, Logins, Members, ObjectGrants, ExecuteAs];

const WIDE: ColumnType = ColumnType::Text { national: true, fixed: false, length: Some(40) };
const FIXED: ColumnType = ColumnType::Text { national: false, fixed: true, length: Some(12) };

fn object(schema: &str, table: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(table) }
}

fn metadata() -> Metadata {
    Metadata::new(name("axon"), name("axon_owner"))
}

/// One column for each mask, and one that is clear to all.
fn columns() -> Vec<ShownColumn> {
    let key = "base.people.hashed".to_owned();
    let lowest = "-2147483648".to_owned();
    let bucket = TypedMask::Bucket { width: 10, lowest, safe: "-2147483638".into() };
    let masks = [
        ("gone", WIDE, TypedMask::Null),
        ("fixed", WIDE, TypedMask::Fixed(Literal::Text("x".into()))),
        ("bytes", ColumnType::Binary { fixed: false, length: Some(8) }, TypedMask::Fixed(Literal::Bytes)),
        ("hashed", WIDE, TypedMask::Hash { key, digits: 40 }),
        ("mail", WIDE, TypedMask::Email),
        ("ending", WIDE, TypedMask::Last(2)),
        ("beginning", FIXED, TypedMask::First(2)),
        ("rounded", ColumnType::Money, TypedMask::Round(10)),
        ("ranged", ColumnType::Int, bucket),
        ("year", ColumnType::Date, TypedMask::Year),
        ("month", ColumnType::DateTime2(3), TypedMask::Month),
        ("digits", WIDE, TypedMask::Digits),
    ];
    let boss = BTreeSet::from([Who::Role(name("boss"))]);
    let masked = masks.map(|(column, ty, mask)| {
        let cell = Cell::Masked { mask, unless: boss.clone(), to: BTreeSet::new() };
        ShownColumn { name: name(column), ty, cell }
    });
    std::iter::once(ShownColumn { name: name("region"), ty: WIDE, cell: Cell::Clear }).chain(masked).collect()
}

fn view() -> ViewBody {
    let attribute = Test::Attribute { column: name("region"), ty: WIDE, attribute: "region".into() };
    let large = Test::Compare {
        column: name("ranged"),
        ty: ColumnType::Int,
        order: Order::Gt,
        value: Literal::Number("0".into()),
    };
    let recent = Test::LastDays { column: name("year"), days: 90 };
    ViewBody {
        name: object("secure", "people"),
        from: object("base", "people"),
        columns: columns(),
        rows: Rows::Any(vec![
            RowRule::To(Who::Role(name("boss"))),
            RowRule::All(vec![attribute, large]),
            RowRule::All(vec![recent, Test::Is(BTreeSet::from([Who::Role(name("nobody"))]))]),
        ]),
    }
}

const TABLE: &str = "CREATE TABLE base.people (region nvarchar(40), gone nvarchar(40), fixed nvarchar(40), \
    bytes varbinary(8), hashed nvarchar(40), mail nvarchar(40), ending nvarchar(40), beginning char(12), \
    rounded money, ranged int, [year] date, [month] datetime2(3), digits nvarchar(40), secret nvarchar(40))";

const ROWS: [&str; 3] = [
    "INSERT INTO base.people VALUES (N'north', N'a', N'b', 0x0102, N'c', N'eve@x.org', N'12345', 'abcdef', 17.5, 23, \
     '2024-05-17', '2024-05-17T10:00:00.123', N'+49 12', N's')",
    "INSERT INTO base.people VALUES (N'south', N'd', N'e', 0x03, N'f', N'none', N'9', 'z', -17.5, -23, \
     '2023-02-03', '2023-02-03T10:00:00', N'no', N't')",
    "INSERT INTO base.people (region, ranged) VALUES (N'north', 7)",
];

struct Pool {
    stage: Stage,
    raw: Raw,
}

impl Pool {
    /// Kim sees the north, masked; Lee is the boss.
    async fn start() -> Self {
        let stage = Stage::of(PoolKind::Dedicated).await;
        let mut raw = stage.enter(Person::Admin).await.unwrap();
        stage.comes(&stage.target(), Person::Kim).await;
        stage.comes(&stage.target(), Person::Lee).await;
        let (kim, lee) = (stage.kim(), stage.lee());
        let boss = stage.adds("boss", lee.as_str());
        for statement in [
            "CREATE USER axon_owner WITHOUT LOGIN",
            "CREATE ROLE boss",
            boss.as_str(),
            "CREATE SCHEMA base AUTHORIZATION axon_owner",
            "CREATE SCHEMA secure AUTHORIZATION axon_owner",
            TABLE,
        ]
        .into_iter()
        .chain(ROWS)
        {
            run(&mut raw, statement).await.unwrap();
        }
        for statement in managed_schema(name("axon"), name("axon_owner")) {
            run(&mut raw, statement.as_str()).await.unwrap();
        }
        let mut pool = Self { stage, raw };
        pool.run(&format!("INSERT INTO axon.profile VALUES (N'{kim}', N'region', N'north')")).await;
        pool.run(&format!(
            "INSERT INTO axon.mask_keys VALUES (N'base.people.hashed', N'{}')",
            "ab".repeat(32)
        ))
        .await;
        let text = secure_view(&view(), ViewVerb::Create, axon_synapse::managed(&metadata()));
        pool.run(text.as_str()).await;
        for who in [kim, lee] {
            pool.run(&format!("GRANT SELECT ON OBJECT::secure.people TO [{who}]")).await;
        }
        pool
    }

    async fn run(&mut self, statement: &str) {
        run(&mut self.raw, statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }

    /// The text that the policy gives, with something in it put in the place of something else.
    async fn altered(&mut self, from: &str, to: &str) {
        let text = secure_view(&view(), ViewVerb::Alter, axon_synapse::managed(&metadata()));
        assert!(text.as_str().contains(from), "{from}: {}", text.as_str());
        self.run(&text.as_str().replace(from, to)).await;
    }

    async fn probe(&self, reader: SqlName, standing: Option<Standing>) -> ProbeAnswer {
        self.probe_as(&ProbeReader::User(reader), standing).await
    }

    async fn probe_as(&self, reader: &ProbeReader, standing: Option<Standing>) -> ProbeAnswer {
        let case = ProbeCase {
            body: view(),
            standing,
            hidden: Some(name("secret")),
            other: Some(self.stage.lee()),
            native: None,
        };
        let target = self.stage.target();
        let answers = target.probe_views(&metadata(), reader, &[case]).await.unwrap().unwrap();
        assert_eq!(answers.len(), 1);
        answers.into_iter().next().unwrap()
    }

    async fn as_kim(&self) -> ProbeAnswer {
        let has = BTreeMap::from([("region".to_owned(), BTreeSet::from(["north".to_owned()]))]);
        self.probe(self.stage.kim(), Some(Standing { roles: BTreeSet::new(), has })).await
    }

    async fn as_lee(&self) -> ProbeAnswer {
        let roles = BTreeSet::from([name("boss")]);
        self.probe(self.stage.lee(), Some(Standing { roles, has: BTreeMap::new() })).await
    }
}

#[tokio::test]
async fn a_view_that_is_as_the_policy_says_is_found_to_be_so_by_each_class() {
    needs(&PROBING);
    let pool = Pool::start().await;
    let kim = pool.as_kim().await;
    assert_eq!((kim.rows, kim.differs, kim.untried), (Some(2), vec![], vec![]));
    // The engine comes to the reader's condition before the view's own: no plain view keeps that, and the probe says so. Whether
    // another engine does is for its owner to read.
    if !pool.stage.emulated() {
        println!("{:?}", kim.leaks);
        return;
    }
    assert_eq!(
        kim.leaks,
        [
            "a division in WHERE tells by error 8134 that a row is there which the policy hides",
            "a conversion in WHERE tells by error 245 that a row is there which the policy hides"
        ]
    );
    // From the boss nothing is hidden.
    let boss = ProbeAnswer { rows: Some(3), ..ProbeAnswer::default() };
    assert_eq!(pool.as_lee().await, boss);
}

/// What the probe says of statistics.
fn of_statistics(answer: &ProbeAnswer) -> Vec<&str> {
    let told = answer.leaks.iter().filter_map(|words| words.strip_prefix("statistics ("));
    told.map(|words| words.split_once(") tell of the table what the policy hides").unwrap().0).collect()
}

#[tokio::test]
async fn statistics_that_a_reader_may_see_are_told_as_leaks_each_by_its_own_right() {
    needs(&PROBING);
    let mut pool = Pool::start().await;
    if !pool.stage.emulated() {
        return;
    }
    let (kim, lee) = (pool.stage.kim(), pool.stage.lee());
    pool.run("CREATE STATISTICS on_secret ON base.people (secret)").await;
    pool.run("CREATE STATISTICS on_region ON base.people (region)").await;
    assert_eq!(of_statistics(&pool.as_kim().await), [""; 0], "who reads the view alone is told nothing");

    pool.run(&format!("GRANT VIEW DATABASE STATE TO [{kim}]")).await;
    assert_eq!(of_statistics(&pool.as_kim().await), ["DBCC PDW_SHOWSPACEUSED"]);
    pool.run(&format!("GRANT VIEW DEFINITION TO [{kim}]")).await;
    let counts = ["sys.dm_pdw_nodes_db_partition_stats", "DBCC PDW_SHOWSPACEUSED"];
    assert_eq!(of_statistics(&pool.as_kim().await), counts);
    pool.run(&format!("EXEC sp_addrolemember N'db_ddladmin', N'{kim}'")).await;
    let found = pool.as_kim().await;
    assert_eq!(of_statistics(&found), [counts[0], counts[1], "DBCC SHOW_STATISTICS"]);
    assert!(found.differs.is_empty(), "a leak is no difference: {found:?}");

    // From the boss no row is hidden, and no column of the view is masked: counts tell nothing new. A column that the view leaves out
    // is hidden from all.
    for right in ["VIEW DATABASE STATE", "VIEW DEFINITION"] {
        pool.run(&format!("GRANT {right} TO [{lee}]")).await;
    }
    assert_eq!(of_statistics(&pool.as_lee().await), [""; 0]);
    pool.run(&format!("EXEC sp_addrolemember N'db_ddladmin', N'{lee}'")).await;
    assert_eq!(of_statistics(&pool.as_lee().await), ["DBCC SHOW_STATISTICS"]);
    for statistics in ["on_secret", "on_region"] {
        pool.run(&format!("DROP STATISTICS base.people.{statistics}")).await;
    }
    assert_eq!(of_statistics(&pool.as_lee().await), [""; 0], "there are none to show");
}

#[tokio::test]
async fn what_a_view_shows_otherwise_is_found_and_said_without_a_value() {
    needs(&PROBING);
    let mut pool = Pool::start().await;
    for column in columns().iter().skip(1).map(|column| column.name) {
        // The mask is gone: everybody sees the value.
        let from = format!("IS_ROLEMEMBER(N'boss') = 1 THEN t.[{column}]");
        pool.altered(&from, &from.replace("N'boss') = 1", "N'boss') = 0")).await;
        let found = pool.as_kim().await;
        let said = format!("column {column} holds");
        assert!(found.differs.iter().any(|words| words.starts_with(&said)), "{column}: {found:?}");
        // And the boss sees a mask.
        let found = pool.as_lee().await;
        let said = format!("column {column} does not hold what the table holds");
        assert!(found.differs.contains(&said), "{column}: {found:?}");
    }
    pool.altered("WHERE IS_ROLEMEMBER(N'boss') = 1", "WHERE 1 = 1 OR IS_ROLEMEMBER(N'boss') = 1").await;
    assert_eq!(pool.as_kim().await.differs, ["it shows 3 rows where the policy shows 2"]);
    pool.altered("t.[ranged] > 0", "t.[ranged] > 10").await;
    assert_eq!(pool.as_kim().await.differs, ["it shows 1 rows where the policy shows 2"]);
    pool.run("ALTER VIEW secure.people AS SELECT secret FROM base.people").await;
    let found = pool.as_kim().await;
    let hidden = "column secret is hidden by the policy and in the view";
    assert_eq!(found.differs, [hidden, "it cannot be read: error 207"]);
    pool.altered("SELECT", "SELECT").await;
    assert!(pool.as_kim().await.differs.is_empty(), "and it is over when the text is");
}

#[tokio::test]
async fn what_is_open_past_a_view_is_found() {
    needs(&PROBING);
    let mut pool = Pool::start().await;
    pool.run("GRANT SELECT ON OBJECT::base.people TO public").await;
    pool.run("GRANT SELECT ON OBJECT::axon.profile TO public").await;
    let found = pool.as_kim().await.differs;
    assert_eq!(
        found,
        ["table axon.profile can be read past the views", "table base.people can be read past the view"]
    );
    pool.run("REVOKE SELECT ON OBJECT::base.people FROM public").await;
    pool.run("REVOKE SELECT ON OBJECT::axon.profile FROM public").await;
    // To whom the map does not open it.
    let found = pool.probe(pool.stage.lee(), None).await;
    assert_eq!(found.differs, ["somebody reads it to whom the map does not open it"]);
    let lee = pool.stage.lee();
    pool.run(&format!("REVOKE SELECT ON OBJECT::secure.people FROM [{lee}]")).await;
    assert_eq!(pool.probe(pool.stage.lee(), None).await, ProbeAnswer::default());
    assert_eq!(pool.as_lee().await.differs, ["it cannot be read: error 229"]);
}

#[tokio::test]
async fn what_cannot_be_tried_is_not_said_to_agree() {
    needs(&[Directory]);
    let pool = Pool::start().await;
    let case = || ProbeCase {
        body: view(),
        standing: Some(Standing::default()),
        hidden: None,
        other: None,
        native: None,
    };
    // A SQL login cannot go on as a person of the directory, and nobody can as one who is not there.
    let sql = pool.stage.target_as(axon_synapse::Auth::Sql { user: "sa".into(), password: PASSWORD.into() });
    for (target, reader, number) in
        [(sql, "kim@acme.com", "error 33171"), (pool.stage.target(), "nobody", "error 15517")]
    {
        let reader = ProbeReader::User(name(reader));
        let found = target.probe_views(&metadata(), &reader, &[case(), case()]).await.unwrap().unwrap();
        assert_eq!(found.len(), 2);
        for answer in found {
            assert!(answer.differs.is_empty() && answer.rows.is_none());
            assert!(answer.untried[0].contains(number), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_view_that_believes_the_key_of_a_session_alone_is_found() {
    needs(&PROBING);
    let mut pool = Pool::start().await;
    let believes = format!(
        "WHERE CAST(SESSION_CONTEXT(N'axon_act_as') AS nvarchar(128)) = N'{}' OR IS_ROLEMEMBER(N'boss') = 1",
        pool.stage.lee()
    );
    pool.altered("WHERE IS_ROLEMEMBER(N'boss') = 1", &believes).await;
    let found = pool.as_kim().await;
    assert_eq!(
        (found.rows, found.differs),
        (Some(2), vec!["a key of the session alone shows more rows".to_owned()])
    );
}

/// How many are called so in the pool.
async fn canaries(pool: &mut Pool) -> usize {
    let query = "SELECT name FROM sys.database_principals WHERE name = 'axon_canary'";
    pool.raw.simple_query(query).await.unwrap().into_first_result().await.unwrap().len()
}

#[tokio::test]
async fn a_canary_stands_in_for_a_group_and_for_nobody_and_is_gone_afterwards() {
    needs(&PROBING);
    let mut pool = Pool::start().await;
    for statement in [
        "CREATE ROLE clerk",
        "GRANT SELECT ON OBJECT::secure.people TO clerk",
        "GRANT SELECT ON OBJECT::secure.people TO boss",
    ] {
        pool.run(statement).await;
    }
    let as_roles = |roles: &[&str]| ProbeReader::Canary(roles.iter().map(|role| name(role)).collect());
    let standing = |roles: &[&str]| Standing {
        roles: roles.iter().map(|role| name(role)).collect(),
        has: BTreeMap::new(),
    };
    // The people of a group have no profile: a line about attributes shows them nothing, a line about a role everything.
    let found = pool.probe_as(&as_roles(&["boss"]), Some(standing(&["boss"]))).await;
    assert_eq!(found, ProbeAnswer { rows: Some(3), ..ProbeAnswer::default() });
    let found = pool.probe_as(&as_roles(&["clerk"]), Some(standing(&["clerk"]))).await;
    assert_eq!((found.rows, found.differs, found.untried), (Some(0), vec![], vec![]));
    assert_eq!(pool.probe_as(&as_roles(&[]), None).await, ProbeAnswer::default());
    assert_eq!(canaries(&mut pool).await, 0);

    // It finds what anybody would find, and a SQL login can make one, too.
    pool.altered("WHERE IS_ROLEMEMBER(N'boss') = 1", "WHERE 1 = 1").await;
    let found = pool.probe_as(&as_roles(&["clerk"]), Some(standing(&["clerk"]))).await;
    assert_eq!(found.differs, ["it shows 3 rows where the policy shows 0"]);
    pool.run("GRANT SELECT ON OBJECT::secure.people TO public").await;
    let found = pool.probe_as(&as_roles(&[]), None).await;
    assert_eq!(found.differs, ["somebody reads it to whom the map does not open it"]);
    assert_eq!(canaries(&mut pool).await, 0);
}

#[tokio::test]
async fn where_no_canary_can_be_it_is_said_and_nobody_elses_is_taken_away() {
    needs(&[Clock]);
    let mut pool = Pool::start().await;
    let clerk = ProbeReader::Canary(BTreeSet::from([name("clerk")]));
    let found = pool.probe_as(&clerk, Some(Standing::default())).await;
    assert!(found.untried[0].contains("sp_addrolemember: error"), "{found:?}");
    assert_eq!(canaries(&mut pool).await, 0, "what was made is dropped");
    // Another probe is under way.
    pool.run("CREATE USER axon_canary WITHOUT LOGIN").await;
    let found = pool.probe_as(&ProbeReader::Canary(BTreeSet::new()), None).await;
    assert_eq!(found.untried, ["user axon_canary is there: another probe is under way, or ended half-way"]);
    assert_eq!((found.rows, found.differs.len(), canaries(&mut pool).await), (None, 0, 1));
    // One that was left behind goes.
    assert!(pool.stage.clock().advance(3600));
    assert_eq!(pool.probe_as(&ProbeReader::Canary(BTreeSet::new()), None).await, ProbeAnswer::default());
    assert_eq!(canaries(&mut pool).await, 0);
}

#[tokio::test]
async fn a_canary_that_a_crash_left_goes_when_no_probe_can_be_under_way_any_more() {
    needs(&[Clock]);
    let mut pool = Pool::start().await;
    let target = pool.stage.target();
    assert_eq!(target.clear_probes().await.unwrap(), None, "there is none");
    pool.run("CREATE USER axon_canary WITHOUT LOGIN").await;
    pool.run("EXEC sp_addrolemember N'boss', N'axon_canary'").await;
    let why = target.clear_probes().await.unwrap().unwrap();
    assert!(why.contains("another probe is under way"), "{why}");
    assert_eq!(canaries(&mut pool).await, 1, "it may be another process's");
    assert!(pool.stage.clock().advance(901));
    assert_eq!(target.clear_probes().await.unwrap(), None);
    assert_eq!(canaries(&mut pool).await, 0);
    // Somebody who can enter is nobody's canary.
    pool.run("CREATE ROLE axon_canary").await;
    assert!(pool.stage.clock().advance(901));
    let why = target.clear_probes().await.unwrap().unwrap();
    assert!(why.contains("somebody else is called axon_canary"), "{why}");
}
