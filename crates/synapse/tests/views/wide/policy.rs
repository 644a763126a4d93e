//! A policy as the test thinks of it, and the map that says it.

use std::fmt::{self, Write as _};

use axon_reconcile::ColumnType;

use super::kind::Datum;

pub const ROLES: [&str; 3] = ["finance", "global", "audit"];
/// Roles that take in others: whoever has the first has the second.
pub const INCLUDES: [(&str, &str); 1] = [("global", "finance")];
/// Each is another one: another source's of one name, too.
pub const GROUPS: [(&str, &str); 3] = [("entra", "Sales"), ("okta", "Sales"), ("entra", "O'Neill")];

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub ty: ColumnType,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub schema: &'static str,
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Datum>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Mask {
    Null,
    Redact,
    Constant(String),
    Hash,
    Email,
    Last(u32),
    First(u32),
    Digits,
    Round(u32),
    Bucket(u32),
    Year,
    Month,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Clear,
    Hidden,
    Masked { mask: Mask, unless: Vec<&'static str>, to: Vec<&'static str> },
}

/// What names columns.
#[derive(Debug, Clone)]
pub enum Key {
    Name(String),
    Pattern(&'static str),
    Tag(&'static str),
}

#[derive(Debug, Clone)]
pub enum Source {
    Table(usize),
    /// Of schema and name.
    Pattern(&'static str, &'static str),
    Tag(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    In,
    Last,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    User(&'static str),
    Text(String),
    Number(String),
    Bool(bool),
    List(Vec<Operand>),
}

#[derive(Debug, Clone)]
pub struct Comparison {
    pub column: String,
    pub op: Op,
    pub operand: Operand,
}

#[derive(Debug, Clone)]
pub enum Line {
    Role(&'static str),
    Group((&'static str, &'static str)),
    Where { all: Vec<Comparison>, to: Vec<&'static str> },
}

/// One entry of `views`.
#[derive(Debug, Clone)]
pub struct Entry {
    pub schema: &'static str,
    /// None: one view of each table that fits.
    pub name: Option<&'static str>,
    pub from: Source,
    pub columns: Vec<(Key, Shown)>,
    pub rows: Vec<Line>,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    /// Those given; [`INCLUDES`] adds others.
    pub roles: Vec<&'static str>,
    pub groups: Vec<(&'static str, &'static str)>,
    pub attributes: Vec<(&'static str, Vec<String>)>,
}

/// A tag stands for the columns that any of these fit: schema, table and column.
pub type TagPatterns = Vec<(&'static str, &'static str, &'static str)>;

#[derive(Debug, Clone)]
pub struct Policy {
    pub tables: Vec<Table>,
    pub tags: Vec<(&'static str, TagPatterns)>,
    pub entries: Vec<Entry>,
    pub people: Vec<Person>,
    pub delimiters: Option<(char, char, char)>,
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Redact => f.write_str("redact"),
            Self::Constant(text) => write!(f, "constant('{}')", text.replace('\'', "''")),
            Self::Hash => f.write_str("hash"),
            Self::Email => f.write_str("email"),
            Self::Last(n) => write!(f, "last({n})"),
            Self::First(n) => write!(f, "first({n})"),
            Self::Digits => f.write_str("digits"),
            Self::Round(n) => write!(f, "round({n})"),
            Self::Bucket(n) => write!(f, "bucket({n})"),
            Self::Year => f.write_str("year"),
            Self::Month => f.write_str("month"),
        }
    }
}

impl Mask {
    /// Without what it is given.
    pub fn word(&self) -> String {
        self.to_string().split('(').next().unwrap().to_owned()
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(path) => write!(f, "user.{path}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Number(digits) => f.write_str(digits),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::List(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                write!(f, "({})", all.join(", "))
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, op, operand } = self;
        write!(f, "[{}] ", column.replace(']', "]]"))?;
        let word = match op {
            Op::Eq => "eq",
            Op::Ne => "ne",
            Op::Gt => "gt",
            Op::Ge => "ge",
            Op::Lt => "lt",
            Op::Le => "le",
            Op::In => "in",
            Op::Last => return write!(f, "last {operand} days"),
        };
        write!(f, "{word} {operand}")
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn list(roles: &[&str]) -> String {
    format!("[{}]", roles.join(", "))
}

fn shown(shown: &Shown) -> String {
    match shown {
        Shown::Clear => "show".to_owned(),
        Shown::Hidden => "hide".to_owned(),
        Shown::Masked { mask, unless, to } => {
            let mut text = format!("{{ mask: {}", quoted(&mask.to_string()));
            for (word, roles) in [("unless", unless), ("for", to)] {
                if !roles.is_empty() {
                    write!(text, ", {word}: {}", list(roles)).unwrap();
                }
            }
            text + " }"
        }
    }
}

fn line(line: &Line) -> String {
    match line {
        Line::Role(role) => format!("role: {role}"),
        Line::Group((source, name)) => format!("{{ group: {}, source: {source} }}", quoted(name)),
        Line::Where { all, to } => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            let beside = if to.is_empty() { String::new() } else { format!(", for: {}", list(to)) };
            format!("{{ where: {}{beside} }}", quoted(&all.join(" and ")))
        }
    }
}

/// The map of a policy.
pub fn map(policy: &Policy) -> String {
    let mut text = String::from(
        "axon: 1\ntargets:\n  dw:\n    kind: synapse-dedicated\n    host: 127.0.0.1\n    database: dw\n    \
         auth: { token-file: pool.token }\n    tls: off\n    manage: { schemas: [secure, open] }\n",
    );
    if let Some((hash, key, array)) = policy.delimiters {
        writeln!(
            text,
            "    metadata: {{ delimiters: {{ hash: \"{hash}\", hash_key: \"{key}\", array: \"{array}\" }} }}"
        )
        .unwrap();
    }
    text.push_str("roles:\n");
    for role in ROLES {
        let takes: Vec<&str> =
            INCLUDES.iter().filter(|(of, _)| *of == role).map(|(_, other)| *other).collect();
        writeln!(text, "  {role}: {{ includes: {} }}", list(&takes)).unwrap();
    }
    text.push_str("mappings:\n");
    for role in ROLES {
        writeln!(text, "  - {{ groups: {{ any: [All of {role}] }}, source: entra, roles: [{role}] }}")
            .unwrap();
    }
    text.push_str("tags:\n");
    for (tag, patterns) in &policy.tags {
        let all: Vec<String> = patterns.iter().map(|(s, t, c)| quoted(&format!("{s}.{t}.{c}"))).collect();
        writeln!(text, "  {tag}: [{}]", all.join(", ")).unwrap();
    }
    text.push_str("views:\n");
    for entry in &policy.entries {
        let from = match &entry.from {
            Source::Table(at) => format!("{}.{}", policy.tables[*at].schema, policy.tables[*at].name),
            Source::Pattern(schema, table) => format!("{schema}.{table}"),
            Source::Tag(tag) => format!("tag:{tag}"),
        };
        let name = format!("{}.{}", entry.schema, entry.name.unwrap_or("*"));
        writeln!(text, "  {}:\n    targets: dw\n    from: {}\n    columns:", quoted(&name), quoted(&from))
            .unwrap();
        for (key, says) in &entry.columns {
            let key = match key {
                Key::Name(name) => name.clone(),
                Key::Pattern(glob) => (*glob).to_owned(),
                Key::Tag(tag) => format!("tag:{tag}"),
            };
            writeln!(text, "      {}: {}", quoted(&key), shown(says)).unwrap();
        }
        if !entry.rows.is_empty() {
            text.push_str("    rows:\n");
            for one in &entry.rows {
                writeln!(text, "      - {}", line(one)).unwrap();
            }
        }
    }
    text
}
