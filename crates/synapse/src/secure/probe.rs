//! Reading views as one of their readers, by `EXECUTE AS USER` on a connection of its own, and comparing what is seen.
//!
//! The reader's connection is thrown away afterwards: nothing of Axon's ever runs on it. Words of the server are not kept, since they may
//! quote a value; its error numbers are.

use axon_model::SqlName;
use axon_reconcile::secure::{
    ManagedTable, Metadata, NativeCase, ProbeAnswer, ProbeCase, ProbeReader, Sees, Standing,
};
use axon_reconcile::{Refusal, RefusalKind, ViewBody};
use tiberius::Row;

use super::canary;
use crate::connect::{Link, Session};
use crate::error::CallError;
use crate::render::view_probe as ask;
use crate::render::{Query, Sql};

/// How often the table is read anew when it changes while it is looked at.
const TURNS: usize = 3;

pub(super) type Numbers = Vec<Option<i64>>;

/// Reads each view as this reader.
pub(crate) async fn probe(
    link: &Link,
    metadata: &Metadata,
    reader: &ProbeReader,
    cases: &[ProbeCase],
) -> Result<Vec<ProbeAnswer>, CallError> {
    match reader {
        ProbeReader::User(name) => as_user(link, metadata, *name, cases).await,
        ProbeReader::Canary(roles) => canary::probe(link, metadata, roles, cases).await,
    }
}

/// Nothing of it was tried.
pub(super) fn untried(why: String, cases: &[ProbeCase]) -> Vec<ProbeAnswer> {
    vec![ProbeAnswer { untried: vec![why], ..ProbeAnswer::default() }; cases.len()]
}

pub(super) async fn as_user(
    link: &Link,
    metadata: &Metadata,
    reader: SqlName,
    cases: &[ProbeCase],
) -> Result<Vec<ProbeAnswer>, CallError> {
    let apart = Link::new(link.connection().clone());
    let mut theirs = apart.session().await?;
    if let Err(refusal) = said(theirs.run(&ask::put_on(reader)).await)? {
        let why = format!("Axon may not read as {reader} (EXECUTE AS USER: error {})", refusal.number);
        return Ok(untried(why, cases));
    }
    let mut name = String::new();
    let mut take = |_: usize, row: &Row| {
        row.try_get::<&str, _>(0).map_err(|e| e.to_string())?.unwrap_or_default().clone_into(&mut name);
        Ok(())
    };
    theirs.read(&ask::who_am_i(), &mut take).await?;
    if SqlName::parse(&name) != Ok(reader) {
        let why = format!("after EXECUTE AS USER the pool does not call the session {reader}");
        return Ok(untried(why, cases));
    }
    let closed = managed_tables(&mut theirs, metadata).await?;
    let mut answers = Vec::with_capacity(cases.len());
    for case in cases {
        let mut answer = ProbeAnswer { differs: closed.clone(), ..ProbeAnswer::default() };
        let mut turn = Turn { link, theirs: &mut theirs, case, answer: &mut answer };
        turn.table().await?;
        match &case.standing {
            Some(standing) => turn.as_reader(standing).await?,
            None => turn.as_nobody().await?,
        }
        answers.push(answer);
    }
    Ok(answers)
}

/// What the server refused is an answer, too. What passes by itself is not.
pub(super) fn said<T>(result: Result<T, CallError>) -> Result<Result<T, Refusal>, CallError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(CallError::Refused { refusal, retry }) => match refusal.kind {
            RefusalKind::Busy | RefusalKind::Paused | RefusalKind::Login => {
                Err(CallError::Refused { refusal, retry })
            }
            _ => Ok(Err(refusal)),
        },
        Err(error) => Err(error),
    }
}

/// The numbers of the one row that a question gives.
pub(super) async fn numbers(
    session: &mut Session<'_>,
    query: &Query,
) -> Result<Result<Numbers, Refusal>, CallError> {
    let mut found = Numbers::new();
    let mut take = |_: usize, row: &Row| {
        for at in 0..row.len() {
            found.push(row.try_get::<i64, _>(at).map_err(|e| e.to_string())?);
        }
        Ok(())
    };
    said(session.read(query, &mut take).await).map(|answer| answer.map(|()| found))
}

fn first(numbers: &Numbers) -> u64 {
    numbers.first().copied().flatten().and_then(|n| u64::try_from(n).ok()).unwrap_or_default()
}

/// Tables of the managed schema that the reader can read.
async fn managed_tables(session: &mut Session<'_>, metadata: &Metadata) -> Result<Vec<String>, CallError> {
    let mut open = Vec::new();
    for table in ManagedTable::ALL.into_iter().filter(|table| table.needed(metadata)) {
        if numbers(session, &ask::count_managed(metadata.schema, table)).await?.is_ok() {
            open.push(format!("table {}.{table} can be read past the views", metadata.schema));
        }
    }
    Ok(open)
}

/// One view, as one reader.
struct Turn<'t, 'l> {
    link: &'t Link,
    theirs: &'t mut Session<'l>,
    case: &'t ProbeCase,
    answer: &'t mut ProbeAnswer,
}

impl Turn<'_, '_> {
    async fn own(&self, query: &Query) -> Result<Result<Numbers, Refusal>, CallError> {
        let mut session = self.link.session().await?;
        numbers(&mut session, query).await
    }

    async fn asked(&mut self, query: &Query) -> Result<Result<Numbers, Refusal>, CallError> {
        numbers(self.theirs, query).await
    }

    /// The table itself must be closed, and a column that the view leaves out must not be there.
    async fn table(&mut self) -> Result<(), CallError> {
        let body = &self.case.body;
        if let Some(native) = &self.case.native {
            self.closed_columns(native).await?;
        } else if self.asked(&ask::count(body.from)).await?.is_ok() {
            self.answer.differs.push(format!("table {} can be read past the view", body.from));
        }
        if let Some(column) = self.case.hidden
            && self.asked(&ask::hidden(body.name, column)).await?.is_ok()
        {
            self.answer.differs.push(format!("column {column} is hidden by the policy and in the view"));
        }
        Ok(())
    }

    /// Of a table that is filtered, columns that are not clear to the reader.
    async fn closed_columns(&mut self, native: &NativeCase) -> Result<(), CallError> {
        let body = &self.case.body;
        let columns = body.columns.iter().map(|column| column.name).chain(self.case.hidden);
        for column in columns.filter(|column| !native.open.contains(column)) {
            if self.asked(&ask::rows_by(body.from, column)).await?.is_ok() {
                let why = format!("column {column} of table {} can be read past the view", body.from);
                self.answer.differs.push(why);
            }
        }
        Ok(())
    }

    /// Of the same table, columns that are clear: each shows the rows that the view shows.
    async fn open_columns(&mut self, native: &NativeCase) -> Result<(), CallError> {
        let table = self.case.body.from;
        let Some(rows) = self.answer.rows else { return Ok(()) };
        for column in &native.open {
            let why = match self.asked(&ask::rows_by(table, *column)).await? {
                Ok(found) if first(&found) == rows => continue,
                Ok(found) => {
                    format!("table {table} itself shows {} rows where the view shows {rows}", first(&found))
                }
                Err(refusal) => {
                    format!("column {column} of table {table} cannot be read: error {}", refusal.number)
                }
            };
            self.answer.differs.push(why);
        }
        Ok(())
    }

    /// Whether Axon sees every row of the table.
    async fn sees_all(&mut self) -> Result<bool, CallError> {
        let Some(native) = &self.case.native else { return Ok(true) };
        let told = self.own(&ask::is_one_of(&native.unfiltered)).await?;
        Ok(told.is_ok_and(|told| first(&told) == 1))
    }

    async fn as_nobody(&mut self) -> Result<(), CallError> {
        if self.asked(&ask::count(self.case.body.name)).await?.is_ok() {
            self.answer.differs.push("somebody reads it to whom the map does not open it".to_owned());
        }
        Ok(())
    }

    async fn as_reader(&mut self, standing: &Standing) -> Result<(), CallError> {
        let body = &self.case.body;
        let (asked, wanted) = (ask::seen(body), ask::expected(body, standing));
        let mut before = self.own(&wanted).await?;
        let sees_all = self.sees_all().await?;
        for turn in 1..=TURNS {
            let seen = match self.asked(&asked).await? {
                Ok(seen) => seen,
                Err(refusal) => {
                    self.answer.differs.push(format!("it cannot be read: error {}", refusal.number));
                    return Ok(());
                }
            };
            self.answer.rows = Some(first(&seen));
            self.masks(standing, &seen);
            if !sees_all {
                self.answer.untried.push(format!(
                    "rows and clear columns: table {} is filtered for Axon itself, too: name a role that it is in under `unfiltered`",
                    body.from
                ));
                break;
            }
            let expected = match before {
                Ok(expected) => expected,
                Err(refusal) => {
                    self.answer.untried.push(format!(
                        "rows and clear columns: Axon may not read table {} itself (error {})",
                        body.from, refusal.number
                    ));
                    break;
                }
            };
            let differs = otherwise(body, standing, &seen, &expected);
            if differs.is_empty() {
                break;
            }
            // Somebody may have written a row in between.
            before = self.own(&wanted).await?;
            if before.as_ref() == Ok(&expected) {
                self.answer.differs.extend(differs);
                break;
            }
            if turn == TURNS {
                let why = format!("rows and clear columns: table {} changes all the while", body.from);
                self.answer.untried.push(why);
            }
        }
        if let Some(native) = &self.case.native {
            self.open_columns(native).await?;
        }
        if sees_all {
            self.guess(standing).await?;
        }
        self.statistics(standing).await?;
        self.set_key().await
    }

    /// What stands where the policy has a mask, or nothing.
    fn masks(&mut self, standing: &Standing, seen: &Numbers) {
        for (number, column) in self.case.body.columns.iter().enumerate() {
            let of = |n: usize| seen.get(1 + number * ask::PER_COLUMN + n).copied().flatten().unwrap_or(0);
            let (impossible, there) = (of(1), of(2));
            let why = match standing.sees(&column.cell) {
                Sees::Mask if impossible > 0 => {
                    format!("column {} holds {impossible} values that its mask cannot give", column.name)
                }
                Sees::Nothing if there > 0 => {
                    format!("column {} holds {there} values where the policy shows none", column.name)
                }
                Sees::Clear | Sees::Mask | Sees::Nothing => continue,
            };
            if !self.answer.differs.contains(&why) {
                self.answer.differs.push(why);
            }
        }
    }

    /// Looks for a hidden row by a value that it holds.
    async fn guess(&mut self, standing: &Standing) -> Result<(), CallError> {
        let body = &self.case.body;
        let Some(bait) = ask::bait(body, standing) else { return Ok(()) };
        let Some(value) = self.hidden_value(&ask::of_a_hidden_row(body, bait, standing)).await? else {
            return Ok(());
        };
        let [plain, division, conversion] = ask::guesses(body, bait, &value);
        match self.asked(&plain).await? {
            // Rows that the reader sees hold it, too.
            Ok(found) if first(&found) > 0 => return Ok(()),
            Ok(_) => {}
            Err(refusal) => {
                self.answer.leaks.push(told("a comparison", &refusal));
                return Ok(());
            }
        }
        for (what, query) in [("a division", division), ("a conversion", conversion)] {
            if let Err(refusal) = self.asked(&query).await? {
                self.answer.leaks.push(told(what, &refusal));
            }
        }
        Ok(())
    }

    /// A digest that never leaves this function but in a question to the pool.
    async fn hidden_value(&self, query: &Query) -> Result<Option<String>, CallError> {
        let mut found = None;
        let mut take = |_: usize, row: &Row| {
            found = row.try_get::<&str, _>(0).map_err(|e| e.to_string())?.map(str::to_owned);
            Ok(())
        };
        let mut session = self.link.session().await?;
        Ok(said(session.read(query, &mut take).await)?.map_or(None, |()| found))
    }

    /// What the pool tells of the table by its statistics, if the policy keeps some of it from the reader.
    async fn statistics(&mut self, standing: &Standing) -> Result<(), CallError> {
        let body = &self.case.body;
        // Where Axon itself does not see all rows, some may be hidden.
        let rows = match self.own(&ask::hidden_rows(body, standing)).await? {
            Ok(hidden) if self.sees_all().await? => first(&hidden) > 0,
            _ => true,
        };
        let values = body.columns.iter().any(|column| standing.sees(&column.cell) != Sees::Clear);
        if rows {
            let parts = self.asked(&ask::partitions()).await?;
            if parts.is_ok_and(|parts| first(&parts) > 0) {
                self.leaks_by(ask::PARTITIONS);
            }
            if self.run(&ask::space_used(body)).await?.is_ok() {
                self.leaks_by("DBCC PDW_SHOWSPACEUSED");
            }
        }
        if rows || values || self.case.hidden.is_some() {
            let names = match self.statistics_of_the_table().await? {
                Ok(names) => names,
                Err(refusal) => {
                    let words =
                        format!("which statistics the table has is not told: error {}", refusal.number);
                    self.answer.untried.push(words);
                    Vec::new()
                }
            };
            for name in names {
                if self.run(&ask::show_statistics(body, name)).await?.is_ok() {
                    self.leaks_by("DBCC SHOW_STATISTICS");
                    break;
                }
            }
        }
        Ok(())
    }

    fn leaks_by(&mut self, what: &str) {
        self.answer.leaks.push(format!("statistics ({what}) tell of the table what the policy hides"));
    }

    /// Some of their names, as Axon sees them: a reader may guess those that a pool makes by itself.
    async fn statistics_of_the_table(&self) -> Result<Result<Vec<SqlName>, Refusal>, CallError> {
        let mut names = Vec::new();
        let mut take = |_: usize, row: &Row| {
            let name = row.try_get::<&str, _>(0).map_err(|e| e.to_string())?;
            names.extend(name.and_then(|name| SqlName::parse(name).ok()));
            Ok(())
        };
        let mut session = self.link.session().await?;
        Ok(said(session.read(&ask::statistics(&self.case.body), &mut take).await)?.map(|()| names))
    }

    /// A key of the session that anybody can set must not show more.
    async fn set_key(&mut self) -> Result<(), CallError> {
        let (Some(other), Some(rows)) = (self.case.other, self.answer.rows) else { return Ok(()) };
        if self.run(&ask::act_as(Some(other))).await?.is_err() {
            return Ok(());
        }
        let found = self.asked(&ask::count(self.case.body.name)).await?;
        if found.is_ok_and(|found| first(&found) > rows) {
            self.answer.differs.push("a key of the session alone shows more rows".to_owned());
        }
        if self.run(&ask::act_as(None)).await?.is_err() {
            return Err(CallError::Unreadable("a key of the session cannot be taken back".to_owned()));
        }
        Ok(())
    }

    async fn run(&mut self, sql: &Sql) -> Result<Result<(), Refusal>, CallError> {
        said(self.theirs.run(sql).await)
    }
}

fn told(what: &str, refusal: &Refusal) -> String {
    format!("{what} in WHERE tells by error {} that a row is there which the policy hides", refusal.number)
}

/// Where rows or clear columns differ.
fn otherwise(body: &ViewBody, standing: &Standing, seen: &Numbers, expected: &Numbers) -> Vec<String> {
    let (there, wanted) = (first(seen), first(expected));
    if there != wanted {
        return vec![format!("it shows {there} rows where the policy shows {wanted}")];
    }
    let clear = body.columns.iter().enumerate();
    let clear = clear.filter(|(_, column)| standing.sees(&column.cell) == Sees::Clear);
    clear
        .filter(|(number, _)| seen.get(1 + number * ask::PER_COLUMN) != expected.get(1 + number))
        .map(|(_, column)| format!("column {} does not hold what the table holds", column.name))
        .collect()
}
