//! The grammar of a grant line.
//!
//! ```text
//! line       = ["per" "person" ":"] "member" "of" name
//!            | "classifier" "in" name {("importance" word) | ("label" name) | ("context" name) | ("from" time "until" time)}
//!            | ["grant" | "deny"] permission {"," permission} "on" securable ["(" name {"," name} ")"]
//! securable  = "database" | "schema" "::" name | ["object" "::"] name "." name
//! ```

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::classifier::BadTime;
use axon_reconcile::permission::GrantableOn;
use axon_reconcile::{
    Classified, GrantState, Hours, Importance, MinuteOfDay, ObjectName, Permission, Securable,
};

use super::GrantLine;
use super::lex::{Kind, Token, tokens};
use crate::nearest::nearest;

/// Why a line is no grant, and which bytes of it say so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GrantError {
    /// First byte.
    pub from: usize,
    /// One past the last byte.
    pub to: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether a later version may accept it.
    pub later: bool,
}

impl GrantError {
    pub(crate) fn at(from: usize, to: usize, message: impl Into<String>) -> Self {
        Self { from, to, message: message.into(), help: None, later: false }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn later(token: &Token, what: &str) -> Self {
        let mut error = Self::at(token.from, token.to, format!("{what} is not supported yet"));
        error.later = true;
        error
    }
}

/// YAML's own list in brackets takes a comma of the line for its own.
const QUOTES: &str = "in a list in [ ] a line with a comma goes in quotes";

pub(super) fn parse(line: &str) -> Result<GrantLine, GrantError> {
    let mut parser = Parser { tokens: tokens(line)?, at: 0 };
    let read = parser.line()?;
    parser.end()?;
    Ok(read)
}

/// Reads the name of an object alone.
pub(super) fn object(text: &str) -> Result<ObjectName, GrantError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let (on, columns) = parser.object()?;
    parser.end()?;
    match on {
        Securable::Object(name) if columns.is_empty() => Ok(name),
        _ => Err(GrantError::at(0, text.len(), "columns cannot stand here")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    /// The token at hand: past the last one, the end again.
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek().kind == Kind::Word && self.peek().text.eq_ignore_ascii_case(word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, kind: Kind) -> bool {
        let found = self.peek().kind == kind;
        self.at += usize::from(found);
        found
    }

    fn expected<T>(&self, what: &str) -> Result<T, GrantError> {
        let token = self.peek();
        let found = match token.kind {
            Kind::End => "the line ends".to_owned(),
            _ => format!("`{}` stands", crate::yaml::shown(&token.text)),
        };
        Err(GrantError::at(token.from, token.to, format!("expected {what}, but here {found}")))
    }

    fn end(&self) -> Result<(), GrantError> {
        let token = self.peek();
        if self.is_word("to") {
            return Err(GrantError::at(token.from, token.to, "a grant line names no grantee")
                .with_help("the role that the line stands under is the grantee: leave out `to …`"));
        }
        if self.is_word("with") {
            return Err(GrantError::at(token.from, token.to, "WITH GRANT OPTION is never given")
                .with_help("only the role map gives; leave it out"));
        }
        if token.kind == Kind::End { Ok(()) } else { self.expected("the end of the line") }
    }

    fn line(&mut self) -> Result<GrantLine, GrantError> {
        if self.take_word("per") {
            if !self.take_word("person") || !self.take(Kind::Mark(':')) {
                return self.expected("`per person:`");
            }
            if !self.is_word("member") {
                let token = self.peek();
                return Err(GrantError::at(token.from, token.to, "only `member of …` is given per person")
                    .with_help("permissions go through the role: leave out `per person:`"));
            }
        }
        if self.take_word("member") {
            return if self.take_word("of") { self.member_of() } else { self.expected("`of`") };
        }
        if self.take_word("classifier") {
            return if self.take_word("in") {
                self.classifier()
            } else {
                self.expected("`in` and a workload group")
            };
        }
        let state = if self.take_word("deny") {
            GrantState::Deny
        } else {
            self.take_word("grant");
            GrantState::Grant
        };
        if state == GrantState::Deny && self.is_word("member") {
            let token = self.peek();
            return Err(GrantError::at(token.from, token.to, "a membership cannot be denied"));
        }
        self.permissions(state)
    }

    /// What follows `classifier in`.
    fn classifier(&mut self) -> Result<GrantLine, GrantError> {
        let group = self.name("a workload group")?;
        let (mut importance, mut label, mut context, mut hours) = (None, None, None, None);
        while self.peek().kind != Kind::End {
            let key = self.peek().clone();
            let twice = |is: bool| {
                if is { Err(GrantError::at(key.from, key.to, "it is said twice")) } else { Ok(()) }
            };
            if self.take_word("importance") {
                twice(importance.is_some())?;
                let word = self.peek().clone();
                let read = word.text.parse::<Importance>();
                importance = Some(read.map_err(|e| GrantError::at(word.from, word.to, e.to_string()))?);
                self.next();
            } else if self.take_word("label") {
                twice(label.is_some())?;
                label = Some(self.name("a label")?);
            } else if self.take_word("context") {
                twice(context.is_some())?;
                context = Some(self.name("a context")?);
            } else if self.take_word("from") {
                twice(hours.is_some())?;
                hours = Some(self.hours()?);
            } else {
                return self.expected("`importance`, `label`, `context`, `from` or the end of the line");
            }
        }
        Ok(GrantLine::Classifier(Classified {
            group,
            importance: importance.unwrap_or_default(),
            label,
            context,
            hours,
        }))
    }

    /// What follows `from`.
    fn hours(&mut self) -> Result<Hours, GrantError> {
        let first = self.peek().clone();
        let from = self.time()?;
        if !self.take_word("until") {
            return self.expected("`until` and the time when the hours end");
        }
        let last = self.peek().clone();
        let until = self.time()?;
        if from == until {
            return Err(GrantError::at(first.from, last.to, "the hours end when they begin")
                .with_help("without `from … until …` a classifier counts all day"));
        }
        Ok(Hours { from, until })
    }

    fn time(&mut self) -> Result<MinuteOfDay, GrantError> {
        if self.peek().kind != Kind::Time {
            return self.expected("a time in UTC, such as 22:00");
        }
        let token = self.next();
        token.text.parse().map_err(|e: BadTime| GrantError::at(token.from, token.to, e.to_string()))
    }

    fn member_of(&mut self) -> Result<GrantLine, GrantError> {
        let token = self.peek().clone();
        let role = self.name("the name of a role")?;
        if role.folded() == "public" {
            return Err(GrantError::at(token.from, token.to, "everyone is a member of public"));
        }
        Ok(GrantLine::MemberOf(role))
    }

    fn name(&mut self, what: &str) -> Result<SqlName, GrantError> {
        if !matches!(self.peek().kind, Kind::Word | Kind::Quoted) {
            return self.expected(what);
        }
        let token = self.next();
        SqlName::parse(&token.text).map_err(|e| GrantError::at(token.from, token.to, e.to_string()))
    }

    fn permissions(&mut self, state: GrantState) -> Result<GrantLine, GrantError> {
        let mut given: Vec<(Permission, Token)> = Vec::new();
        loop {
            let (permission, token) = self.permission()?;
            if given.iter().any(|(p, _)| *p == permission) {
                return Err(GrantError::at(token.from, token.to, format!("{permission} is given twice")));
            }
            given.push((permission, token));
            if !self.take(Kind::Mark(',')) {
                break;
            }
        }
        if self.peek().kind == Kind::Mark('(') {
            let token = self.peek();
            return Err(GrantError::at(token.from, token.to, "columns stand after the object's name")
                .with_help("write `select on schema.object (column, column)`"));
        }
        if !self.take_word("on") {
            let split = self.peek().kind == Kind::End;
            return self.expected("`,` or `on`").map_err(
                |e: GrantError| {
                    if split { e.with_help(QUOTES) } else { e }
                },
            );
        }
        let (on, columns) = self.securable()?;
        for (permission, token) in &given {
            check(state, *permission, token, &on, &columns)?;
        }
        Ok(GrantLine::Permissions {
            state,
            permissions: given.into_iter().map(|(p, _)| p).collect(),
            on,
            columns,
        })
    }

    /// One permission: words up to `on`, a comma or a bracket.
    fn permission(&mut self) -> Result<(Permission, Token), GrantError> {
        let first = self.peek().clone();
        let mut last = first.to;
        let mut words = Vec::new();
        while self.peek().kind == Kind::Word && !self.is_word("on") {
            let token = self.next();
            last = token.to;
            words.push(token.text);
        }
        if words.is_empty() {
            return self.expected("a permission");
        }
        let text = words.join(" ");
        let token = Token { kind: Kind::Word, text: text.clone(), from: first.from, to: last };
        if let Ok(permission) = text.parse() {
            return Ok((permission, token));
        }
        let error =
            GrantError::at(first.from, last, format!("no permission `{}`", crate::yaml::shown(&text)));
        let names: Vec<String> = Permission::ALL.iter().map(|p| p.name().to_lowercase()).collect();
        Err(match nearest(&text, names.iter().map(String::as_str)) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None if text.eq_ignore_ascii_case("all") => error.with_help("name each permission"),
            None => error,
        })
    }

    fn securable(&mut self) -> Result<(Securable, Vec<SqlName>), GrantError> {
        let first = self.peek().clone();
        let class = self.tokens.get(self.at + 1).is_some_and(|t| t.kind == Kind::Of);
        if first.kind == Kind::Word && class {
            self.at += 2;
            return match first.text.to_ascii_lowercase().as_str() {
                "schema" => Ok((Securable::Schema(self.name("a schema")?), Vec::new())),
                "object" => self.object(),
                "database" => Err(GrantError::at(first.from, first.to, "a target is one database")
                    .with_help("write `on database`")),
                "credential" => Ok((Securable::Credential(self.name("a credential")?), Vec::new())),
                "server" => Err(GrantError::at(first.from, first.to, "a target is one server")
                    .with_help("write `on server`")),
                "user" | "role" | "login" => {
                    Err(GrantError::later(&first, "a permission on users and roles"))
                }
                _ => Err(GrantError::at(
                    first.from,
                    first.to,
                    format!("no class `{}`", crate::yaml::shown(&first.text)),
                )
                .with_help("one of: schema::name, object::schema.name, credential::name, database, server")),
            };
        }
        let dotted = self.tokens.get(self.at + 1).is_some_and(|t| t.kind == Kind::Mark('.'));
        if first.kind == Kind::Word && first.text.eq_ignore_ascii_case("database") && !dotted {
            self.at += 1;
            return Ok((Securable::Database, Vec::new()));
        }
        if first.kind == Kind::Word && first.text.eq_ignore_ascii_case("server") && !dotted {
            self.at += 1;
            return Ok((Securable::Server, Vec::new()));
        }
        self.object()
    }

    fn object(&mut self) -> Result<(Securable, Vec<SqlName>), GrantError> {
        let first = self.peek().clone();
        let schema = self.name("a schema and an object")?;
        if !self.take(Kind::Mark('.')) {
            return Err(GrantError::at(first.from, first.to, "an object is named with its schema")
                .with_help(format!(
                    "write `schema.{0}`, or `schema::{0}` for a whole schema",
                    crate::yaml::shown(&first.text)
                )));
        }
        let object = ObjectName { schema, name: self.name("an object")? };
        if self.peek().kind == Kind::Mark('.') {
            let token = self.peek();
            return Err(GrantError::at(
                first.from,
                token.to,
                "an object of another database cannot be reached",
            )
            .with_help("a name with a dot in it goes in brackets: [table.with.dots]"));
        }
        let mut columns = Vec::new();
        if self.take(Kind::Mark('(')) {
            let mut seen = BTreeSet::new();
            loop {
                let token = self.peek().clone();
                let column = self.name("a column")?;
                if !seen.insert(column) {
                    return Err(GrantError::at(
                        token.from,
                        token.to,
                        format!("column {column} is named twice"),
                    ));
                }
                columns.push(column);
                if !self.take(Kind::Mark(',')) {
                    break;
                }
            }
            if !self.take(Kind::Mark(')')) {
                let split = self.peek().kind == Kind::End;
                return self.expected("`,` or `)`").map_err(
                    |e: GrantError| {
                        if split { e.with_help(QUOTES) } else { e }
                    },
                );
            }
        }
        Ok((Securable::Object(object), columns))
    }
}

/// Whether T-SQL lets this permission stand on this securable.
fn check(
    state: GrantState,
    permission: Permission,
    token: &Token,
    on: &Securable,
    columns: &[SqlName],
) -> Result<(), GrantError> {
    let refuse = |message: String| Err(GrantError::at(token.from, token.to, message));
    if permission == Permission::Connect {
        return refuse("CONNECT belongs to a person's user: whoever has a role may enter".into());
    }
    if permission == Permission::Execute && state == GrantState::Deny && *on == Securable::Database {
        // The pool's compute nodes run procedures as the user: the engine refuses this one.
        return refuse(
            "EXECUTE cannot be denied on the whole database: deny it on schemas or objects".into(),
        );
    }
    if permission == Permission::ConnectSql {
        return refuse("CONNECT SQL belongs to a person's login: whoever has a role may enter".into());
    }
    if permission.scope() != GrantableOn::Server && *on == Securable::Server {
        return refuse(format!("{permission} is not given on a server"));
    }
    if matches!(on, Securable::Credential(_))
        && !matches!(permission.scope(), GrantableOn::Any)
        && permission != Permission::References
    {
        return refuse(format!("{permission} is not given on a credential: its users need REFERENCES"));
    }
    match permission.scope() {
        GrantableOn::Server if *on != Securable::Server => {
            refuse(format!("{permission} is given on the server only"))
        }
        GrantableOn::Database if *on != Securable::Database => {
            refuse(format!("{permission} is given on the database only"))
        }
        GrantableOn::User => Err(GrantError::later(token, "a permission on users and roles")),
        GrantableOn::Nothing => refuse(format!("{permission} cannot be given")),
        scope if !columns.is_empty() && scope != GrantableOn::Columns => {
            refuse(format!("{permission} cannot be given on columns, only SELECT and UPDATE can"))
        }
        // What is left stands on every class that a line can name.
        GrantableOn::Database
        | GrantableOn::Data
        | GrantableOn::Columns
        | GrantableOn::Any
        | GrantableOn::Server => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        match parse(line) {
            Ok(read) => read.to_string(),
            Err(e) => format!("{}..{}: {}", e.from, e.to, e.message),
        }
    }

    #[test]
    fn lines_read_in_t_sql_s_own_words() {
        for (line, canonical) in [
            ("select on secure.orders", "select on secure.orders"),
            ("SELECT , Insert ON schema :: staging", "select, insert on schema::staging"),
            (
                "grant select on sales.regions (region_id, [na me])",
                "select on sales.regions (region_id, [na me])",
            ),
            ("select on [odd schema].[table.with.dots]", "select on [odd schema].[table.with.dots]"),
            ("select on object::[a]]b].\"c\"\"d\"", "select on [a]]b].[c\"d]"),
            ("deny select on sales.salaries", "deny select on sales.salaries"),
            ("view   definition, take ownership on database", "view definition, take ownership on database"),
            ("select on database.x", "select on [database].x"),
            ("per person: member of mediumrc", "per person: member of mediumrc"),
            ("member of [my role]", "per person: member of [my role]"),
            ("CLASSIFIER in largerc", "classifier in largerc importance normal"),
            (
                "classifier in [my group] context \"x y\" importance HIGH label nightly",
                "classifier in [my group] importance high label nightly context [x y]",
            ),
            (
                "classifier in largerc FROM 22:00 Until 06:30 label from",
                "classifier in largerc importance normal label from from 22:00 until 06:30",
            ),
            ("execute on [x]]; DROP USER [dbo]]--].p", "execute on [x]]; DROP USER [dbo]]--].p"),
        ] {
            assert_eq!(read(line), canonical);
            assert_eq!(parse(canonical), parse(line), "{line}");
        }
    }

    #[test]
    fn faults_point_at_the_word() {
        for (line, fault) in [
            ("", "0..0: expected a permission, but here the line ends"),
            ("selct on a.b", "0..5: no permission `selct`"),
            ("select a.b", "0..8: no permission `select a`"),
            ("select on orders", "10..16: an object is named with its schema"),
            ("select on dw.sales.orders", "10..19: an object of another database cannot be reached"),
            ("select on a.b to public", "14..16: a grant line names no grantee"),
            ("select on a.b with grant option", "14..18: WITH GRANT OPTION is never given"),
            ("select on a.b (x, x)", "18..19: column x is named twice"),
            ("select on a.b (x", "16..16: expected `,` or `)`, but here the line ends"),
            ("select (x) on a.b", "7..8: columns stand after the object's name"),
            ("insert on a.b (x)", "0..6: INSERT cannot be given on columns, only SELECT and UPDATE can"),
            ("create table on schema::x", "0..12: CREATE TABLE is given on the database only"),
            ("connect on database", "0..7: CONNECT belongs to a person's user: whoever has a role may enter"),
            (
                "deny execute on database",
                "5..12: EXECUTE cannot be denied on the whole database: deny it on schemas or objects",
            ),
            ("impersonate on user::kim", "15..19: a permission on users and roles is not supported yet"),
            ("select on login::x", "10..15: a permission on users and roles is not supported yet"),
            ("select, select on a.b", "8..14: SELECT is given twice"),
            ("select on a.[b", "12..14: `[` has no closing `]`"),
            ("select on a.b; drop user x", "13..14: `;` cannot stand here"),
            ("select on a.b -- x", "14..15: `-` cannot stand here"),
            ("select on a.[]", "12..14: a name must not be empty"),
            ("member of public", "10..16: everyone is a member of public"),
            ("per person: select on a.b", "12..18: only `member of …` is given per person"),
            ("deny member of x", "5..11: a membership cannot be denied"),
            ("classifier largerc", "11..18: expected `in` and a workload group, but here `largerc` stands"),
            (
                "classifier in x importance urgent",
                "27..33: not an importance: one of low, below_normal, normal, above_normal, high",
            ),
            ("classifier in x label a label b", "24..29: it is said twice"),
            (
                "classifier in x from 22:00 to 06:00",
                "27..29: expected `until` and the time when the hours end, but here `to` stands",
            ),
            (
                "classifier in x from 24:00 until 06:00",
                "21..26: not a time of the day: two digits for the hour and two for the minute, 00:00 to 23:59",
            ),
            (
                "classifier in x from noon until 06:00",
                "21..25: expected a time in UTC, such as 22:00, but here `noon` stands",
            ),
            ("classifier in x from 06:00 until 06:00", "21..38: the hours end when they begin"),
            ("classifier in x from 06:000 until 07:00", "21..22: `0` cannot stand here"),
            ("select on 10:00", "10..15: expected a schema and an object, but here `10:00` stands"),
            ("per people: member of x", "4..10: expected `per person:`, but here `people` stands"),
        ] {
            assert_eq!(read(line), fault, "{line}");
        }
    }

    #[test]
    fn all_is_not_a_permission() {
        assert_eq!(parse("all on database").unwrap_err().help.unwrap(), "name each permission");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_inside_its_bounds(line in ".{0,60}") {
            match parse(&line) {
                Ok(read) => proptest::prop_assert_eq!(parse(&read.to_string()), Ok(read)),
                Err(e) => proptest::prop_assert!(e.from <= e.to && e.to <= line.len()),
            }
        }

        #[test]
        fn any_name_survives_its_brackets(schema in ".{1,12}", object in ".{1,12}") {
            let quoted = |t: &str| format!("[{}]", t.replace(']', "]]"));
            let line = format!("select on {}.{}", quoted(&schema), quoted(&object));
            if let Ok(GrantLine::Permissions { on: Securable::Object(name), .. }) = parse(&line) {
                proptest::prop_assert_eq!(name.schema.as_str(), schema);
                proptest::prop_assert_eq!(name.name.as_str(), object);
            }
        }
    }
}
