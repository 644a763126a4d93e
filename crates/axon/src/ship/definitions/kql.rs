//! A reader of just that part of KQL in which the queries of `deploy/azure` are written: it follows the columns of a table and their
//! types from step to step, and says where a query names what is not there any more. What it does not know is a fault, too.

mod tokens;

use std::collections::BTreeMap;

use tokens::{Token, called, tokens};

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Long,
    Time,
    Span,
    Bool,
    Dynamic,
}

/// Columns and their types.
pub type Columns = BTreeMap<String, Kind>;

impl Kind {
    /// The type that a table's definition calls so.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "long" | "int" => Self::Long,
            "datetime" => Self::Time,
            "boolean" => Self::Bool,
            "dynamic" => Self::Dynamic,
            _ => return None,
        })
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    tables: BTreeMap<String, Columns>,
    scalars: BTreeMap<String, Kind>,
}

type Read<T> = Result<T, String>;

/// The columns that a query gives, or where it is wrong.
pub fn read(query: &str, table: &str, columns: &Columns) -> Read<Columns> {
    let tokens = tokens(query)?;
    let tables = [(table.to_owned(), columns.clone())].into();
    let mut reader = Reader { tokens: &tokens, tables, scalars: BTreeMap::new() };
    while reader.takes_word("let") {
        let name = reader.word()?;
        reader.sign("=")?;
        let table =
            matches!(reader.tokens.first(), Some(Token::Word(word)) if reader.tables.contains_key(word));
        if table {
            let columns = reader.table()?;
            reader.tables.insert(name, columns);
        } else {
            let kind = reader.value(&Columns::new())?;
            reader.scalars.insert(name, kind);
        }
        reader.sign(";")?;
    }
    let columns = reader.table()?;
    if reader.tokens.is_empty() { Ok(columns) } else { Err(format!("{:?} is left over", reader.tokens[0])) }
}

impl Reader<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.first(), Some(Token::Sign(own)) if *own == sign);
        if is {
            self.tokens = &self.tokens[1..];
        }
        is
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is = matches!(self.tokens.first(), Some(Token::Word(own)) if own == word);
        if is {
            self.tokens = &self.tokens[1..];
        }
        is
    }

    fn sign(&mut self, sign: &str) -> Read<()> {
        if self.takes(sign) { Ok(()) } else { Err(format!("{sign} instead of {:?}", self.tokens.first())) }
    }

    fn word(&mut self) -> Read<String> {
        match self.tokens.split_first() {
            Some((Token::Word(word), rest)) => {
                self.tokens = rest;
                Ok(word.clone())
            }
            other => Err(format!("a name instead of {:?}", other.map(|(first, _)| first))),
        }
    }

    /// `Name =` before a value.
    fn given_name(&mut self) -> Option<String> {
        let [Token::Word(name), Token::Sign("="), ..] = self.tokens else { return None };
        self.tokens = &self.tokens[2..];
        Some(name.clone())
    }

    fn table(&mut self) -> Read<Columns> {
        let mut columns = if self.takes_word("union") {
            let mut all = Columns::new();
            loop {
                self.sign("(")?;
                let part = self.table()?;
                self.sign(")")?;
                for (name, kind) in part {
                    if all.insert(name.clone(), kind).is_some_and(|before| before != kind) {
                        return Err(format!("{name} has two types in a union"));
                    }
                }
                if !self.takes(",") {
                    break all;
                }
            }
        } else {
            let name = self.word()?;
            self.tables.get(&name).cloned().ok_or_else(|| format!("there is no table {name}"))?
        };
        while self.takes("|") {
            columns = self.step(columns)?;
        }
        Ok(columns)
    }

    fn step(&mut self, columns: Columns) -> Read<Columns> {
        match self.word()?.as_str() {
            "where" => match self.value(&columns)? {
                Kind::Bool => Ok(columns),
                other => Err(format!("where asks for {other:?}")),
            },
            "project" => self.named(&columns, Columns::new()),
            "extend" => self.named(&columns, columns.clone()),
            "summarize" => self.summarize(&columns),
            "order" => {
                if !self.takes_word("by") {
                    return Err("order has no by".into());
                }
                loop {
                    self.value(&columns)?;
                    let _ = self.takes_word("asc") || self.takes_word("desc");
                    if !self.takes(",") {
                        return Ok(columns);
                    }
                }
            }
            "mv-expand" => {
                let name = self.given_name();
                match (name, self.value(&columns)?) {
                    (Some(name), Kind::Dynamic) => {
                        let mut columns = columns;
                        columns.insert(name, Kind::Dynamic);
                        Ok(columns)
                    }
                    (_, other) => Err(format!("mv-expand wants a name and a dynamic, and not {other:?}")),
                }
            }
            "join" => self.join(columns),
            other => Err(format!("{other} is no step that is known here")),
        }
    }

    fn named(&mut self, columns: &Columns, mut into: Columns) -> Read<Columns> {
        loop {
            let name = self.given_name();
            let first = self.tokens.first().cloned();
            let kind = self.value(columns)?;
            let ((Some(name), _) | (None, Some(Token::Word(name)))) = (name, first) else {
                return Err("a value without a name".into());
            };
            into.insert(name, kind);
            if !self.takes(",") {
                return Ok(into);
            }
        }
    }

    fn summarize(&mut self, columns: &Columns) -> Read<Columns> {
        let mut into = Columns::new();
        while !self.takes_word("by") {
            if self.takes_word("arg_max") {
                self.sign("(")?;
                loop {
                    if self.takes("*") {
                        into.extend(columns.clone());
                    } else {
                        let name = self.word()?;
                        let kind = columns.get(&name).ok_or_else(|| format!("there is no column {name}"))?;
                        into.insert(name, *kind);
                    }
                    if !self.takes(",") {
                        break;
                    }
                }
                self.sign(")")?;
            } else {
                let name = self.given_name().ok_or("a sum has no name")?;
                let kind = self.value(columns)?;
                into.insert(name, kind);
            }
            if !self.takes(",") && !matches!(self.tokens.first(), Some(Token::Word(by)) if by == "by") {
                return Ok(into);
            }
        }
        loop {
            let name = self.given_name();
            // `bin(Name, …)` keeps the name.
            let own = self.tokens.iter().take(3).find_map(|token| match token {
                Token::Word(word) if columns.contains_key(word) => Some(word.clone()),
                _ => None,
            });
            let kind = self.value(columns)?;
            let name = name.or(own).ok_or("what it is grouped by has no name")?;
            if kind == Kind::Dynamic {
                return Err(format!("{name} is dynamic and nothing can be grouped by it"));
            }
            into.insert(name, kind);
            if !self.takes(",") {
                return Ok(into);
            }
        }
    }

    fn join(&mut self, mut columns: Columns) -> Read<Columns> {
        if self.given_name().as_deref() != Some("kind") || self.word()? != "inner" {
            return Err("only inner joins are known here".into());
        }
        let name = self.word()?;
        let other = self.tables.get(&name).cloned().ok_or_else(|| format!("there is no table {name}"))?;
        if !self.takes_word("on") {
            return Err("join has no on".into());
        }
        loop {
            let key = self.word()?;
            match (columns.get(&key), other.get(&key)) {
                (Some(a), Some(b)) if a == b && *a != Kind::Dynamic => {}
                sides => return Err(format!("both sides cannot be joined on {key}: {sides:?}")),
            }
            if !self.takes(",") {
                break;
            }
        }
        for (name, kind) in other {
            columns.entry(name).or_insert(kind);
        }
        Ok(columns)
    }

    fn value(&mut self, columns: &Columns) -> Read<Kind> {
        let mut left = self.compared(columns)?;
        while self.takes_word("and") || self.takes_word("or") {
            let right = self.compared(columns)?;
            if (left, right) != (Kind::Bool, Kind::Bool) {
                return Err(format!("and, or between {left:?} and {right:?}"));
            }
            left = Kind::Bool;
        }
        Ok(left)
    }

    fn compared(&mut self, columns: &Columns) -> Read<Kind> {
        let left = self.sum(columns)?;
        if self.takes_word("in") || self.takes_word("has_any") {
            self.sign("(")?;
            loop {
                let one = self.sum(columns)?;
                if (left, one) != (Kind::Text, Kind::Text) {
                    return Err(format!("{left:?} among {one:?}"));
                }
                if !self.takes(",") {
                    break;
                }
            }
            self.sign(")")?;
            return Ok(Kind::Bool);
        }
        for sign in ["==", "!=", "=~", "<=", ">=", "<", ">"] {
            if self.takes(sign) {
                let right = self.sum(columns)?;
                if left != right || left == Kind::Dynamic {
                    return Err(format!("{left:?} {sign} {right:?}: say which type is meant"));
                }
                return Ok(Kind::Bool);
            }
        }
        Ok(left)
    }

    fn sum(&mut self, columns: &Columns) -> Read<Kind> {
        let mut left = self.one(columns)?;
        loop {
            let minus = self.takes("-");
            if !minus && !self.takes("+") {
                return Ok(left);
            }
            let right = self.one(columns)?;
            left = match (left, right) {
                (Kind::Long, Kind::Long) => Kind::Long,
                (Kind::Time, Kind::Time) if minus => Kind::Span,
                (Kind::Time, Kind::Span) => Kind::Time,
                (Kind::Span, Kind::Span) => Kind::Span,
                _ => return Err(format!("{left:?} and {right:?} have no sum")),
            };
        }
    }

    fn one(&mut self, columns: &Columns) -> Read<Kind> {
        if self.takes("(") {
            let kind = self.value(columns)?;
            self.sign(")")?;
            return Ok(kind);
        }
        if let Some((Token::Literal(kind), rest)) = self.tokens.split_first() {
            self.tokens = rest;
            return Ok(*kind);
        }
        let name = self.word()?;
        if name == "true" || name == "false" {
            return Ok(Kind::Bool);
        }
        if self.takes("(") {
            let mut given = Vec::new();
            while !self.takes(")") {
                given.push(self.value(columns)?);
                if !self.takes(",") {
                    self.sign(")")?;
                    break;
                }
            }
            return called(&name, &given).ok_or_else(|| format!("{name} of {given:?} is not known here"));
        }
        let known = columns.get(&name).or_else(|| self.scalars.get(&name)).copied();
        let mut kind = known.ok_or_else(|| format!("there is no column {name}"))?;
        loop {
            if self.takes(".") {
                self.word()?;
            } else if self.takes("[") {
                self.value(columns)?;
                self.sign("]")?;
            } else {
                return Ok(kind);
            }
            if kind != Kind::Dynamic {
                return Err(format!("{name} is {kind:?} and has no parts"));
            }
            kind = Kind::Dynamic;
        }
    }
}
