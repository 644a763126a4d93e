//! Recursive descent over the grammar of RFC 7644 section 3.4.2.2, with its errata and the lenient
//! forms that identity providers send. Depth and length are bounded, so no input exhausts the stack.

use std::sync::Arc;

use super::lexer::Cursor;
use super::typed::{Raw, compare, target};
use super::{CompareOp, Expr, FilterError, Literal, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH};
use crate::error::quoted;
use crate::profile::Profile;
use crate::schema::{AttrPath, Attribute, Registry, ResourceKind};

/// With `across`, an attribute that another kind of resource alone has is no error: it matches nothing here.
pub(super) fn parse(
    text: &str,
    registry: &Registry,
    kind: ResourceKind,
    profile: &Profile,
    across: bool,
) -> Result<Expr, FilterError> {
    let mut parser = Parser { cursor: Cursor::new(text, 0), registry, kind, profile, across, depth: 0 };
    parser.check_length(text)?;
    let expr = parser.or(None)?;
    parser.cursor.skip_space();
    match parser.cursor.peek() {
        None => Ok(expr),
        Some(c) => Err(parser
            .cursor
            .error(format!("expected 'and', 'or' or the end, found {}", quoted(&c.to_string())))),
    }
}

/// Reads `[…]` of a PATCH path, where `text[open]` is the opening bracket. Gives the condition and the
/// offset after the closing bracket.
pub(crate) fn parse_value_path(
    text: &str,
    open: usize,
    path: &AttrPath,
    registry: &Registry,
    kind: ResourceKind,
    profile: &Profile,
) -> Result<(Expr, usize), FilterError> {
    let cursor = Cursor::new(text, open);
    let mut parser = Parser { cursor, registry, kind, profile, across: false, depth: 0 };
    parser.check_length(text)?;
    let condition = parser.brackets(path)?;
    Ok((condition, parser.cursor.at()))
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    registry: &'a Registry,
    kind: ResourceKind,
    profile: &'a Profile,
    across: bool,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn check_length(&self, text: &str) -> Result<(), FilterError> {
        if text.len() > MAX_FILTER_LENGTH {
            let reason = format!("the filter has {} bytes, the limit is {MAX_FILTER_LENGTH}", text.len());
            return Err(self.cursor.error(reason));
        }
        Ok(())
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.depth == MAX_FILTER_DEPTH {
            return Err(self.cursor.error(format!("brackets nest deeper than {MAX_FILTER_DEPTH} levels")));
        }
        self.depth += 1;
        let out = inner(self)?;
        self.depth -= 1;
        Ok(out)
    }

    fn or(&mut self, element: Option<&AttrPath>) -> Result<Expr, FilterError> {
        let mut terms = vec![self.and(element)?];
        while self.keyword("or") {
            terms.push(self.and(element)?);
        }
        Ok(Expr::any(terms))
    }

    fn and(&mut self, element: Option<&AttrPath>) -> Result<Expr, FilterError> {
        let mut terms = vec![self.term(element)?];
        while self.keyword("and") {
            terms.push(self.term(element)?);
        }
        Ok(Expr::all(terms))
    }

    /// Steps over ` and ` or ` or `. After a closing bracket the space before may be left out.
    fn keyword(&mut self, keyword: &str) -> bool {
        let mut ahead = self.cursor.clone();
        ahead.skip_space();
        let word = ahead.word();
        let ends = matches!(ahead.byte_after(word.len()), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'('));
        if !word.eq_ignore_ascii_case(keyword) || !ends {
            return false;
        }
        ahead.step(word.len());
        self.cursor = ahead;
        true
    }

    fn term(&mut self, element: Option<&AttrPath>) -> Result<Expr, FilterError> {
        self.cursor.skip_space();
        if self.cursor.peek() == Some('(') {
            return self.group(element);
        }
        if self.eat_not() {
            return Ok(Expr::Not(Box::new(self.group(element)?)));
        }
        self.attribute(element)
    }

    /// `not (` and `not(`: errata 7319 and 4690.
    fn eat_not(&mut self) -> bool {
        let mut ahead = self.cursor.clone();
        let word = ahead.word();
        if !word.eq_ignore_ascii_case("not") {
            return false;
        }
        ahead.step(word.len());
        ahead.skip_space();
        if ahead.peek() == Some('(') {
            self.cursor = ahead;
            return true;
        }
        false
    }

    fn group(&mut self, element: Option<&AttrPath>) -> Result<Expr, FilterError> {
        self.deeper(|parser| {
            parser.cursor.eat('(');
            let inner = parser.or(element)?;
            parser.close(')')?;
            Ok(inner)
        })
    }

    fn close(&mut self, bracket: char) -> Result<(), FilterError> {
        self.cursor.skip_space();
        if self.cursor.eat(bracket) {
            return Ok(());
        }
        Err(self.cursor.error(format!("expected '{bracket}'")))
    }

    fn attribute(&mut self, element: Option<&AttrPath>) -> Result<Expr, FilterError> {
        let start = self.cursor.at();
        let name = self.cursor.path();
        if name.is_empty() {
            return Err(self.cursor.error("expected an attribute"));
        }
        let kind = self.kind_of(name, element);
        let path = target(name, element, self.registry, kind, self.profile)
            .map_err(|e| e.at(&self.cursor, start, start))?;
        if self.cursor.peek() == Some('[') {
            return self.value_path(path, element.is_some(), start);
        }
        let expr = self.operation(path, start)?;
        Ok(if kind == self.kind { expr } else { never(expr) })
    }

    /// The kind that has the attribute: the one that is filtered, or else, where that is asked for, another one.
    fn kind_of(&self, name: &str, element: Option<&AttrPath>) -> ResourceKind {
        if !self.across || element.is_some() || self.registry.attr_path(self.kind, name).is_ok() {
            return self.kind;
        }
        let has = |kind: &ResourceKind| self.registry.attr_path(*kind, name).is_ok();
        ResourceKind::ALL.into_iter().find(has).unwrap_or(self.kind)
    }

    /// `pr`, or an operator and a literal.
    fn operation(&mut self, path: AttrPath, start: usize) -> Result<Expr, FilterError> {
        if !self.cursor.skip_space() {
            return Err(self.cursor.error("expected a space and an operator"));
        }
        let at = self.cursor.at();
        let word = self.cursor.path();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Expr::Present(path));
        }
        let Some(op) = CompareOp::parse(word) else {
            let reason = format!("{} is not an operator (eq ne co sw ew gt ge lt le pr)", quoted(word));
            return Err(self.cursor.error_at(at, reason));
        };
        if !self.cursor.skip_space() {
            return Err(self.cursor.error("expected a space and a value"));
        }
        let at = self.cursor.at();
        let raw = self.literal()?;
        let (path, literal) =
            compare(path, op, raw, self.profile).map_err(|e| e.at(&self.cursor, start, at))?;
        Ok(Expr::Compare { path, op, literal })
    }

    fn literal(&mut self) -> Result<Raw<'a>, FilterError> {
        if self.cursor.peek() == Some('"') {
            return self.cursor.string().map(Raw::Quoted);
        }
        let at = self.cursor.at();
        let word = self.cursor.bare();
        if word.is_empty() {
            return Err(self.cursor.error_at(at, "expected a value"));
        }
        if word.contains('\0') {
            return Err(self.cursor.error_at(at, "the character U+0000 is not accepted"));
        }
        Ok(Raw::Bare(word))
    }

    /// `emails[…]`, and the forms of Entra: `emails[…].value eq "x"` and `emails[…] eq "x"`.
    fn value_path(&mut self, path: AttrPath, nested: bool, start: usize) -> Result<Expr, FilterError> {
        if nested || path.sub.is_some() || !path.attribute.is_complex() {
            return Err(self.cursor.error_at(start, "only a complex attribute takes a filter in brackets"));
        }
        let mut condition = self.brackets(&path)?;
        if let Some(part) = self.tail(&path)? {
            let part = AttrPath { extension: None, attribute: part, sub: None };
            condition = Expr::all(vec![condition, self.operation(part, start)?]);
        }
        Ok(Expr::Element { path, condition: Box::new(condition) })
    }

    /// The part that is compared after `]`: the one named, or `value` where an operator follows.
    fn tail(&mut self, path: &AttrPath) -> Result<Option<Arc<Attribute>>, FilterError> {
        let mut ahead = self.cursor.clone();
        if !ahead.eat('.') {
            return Ok(self.implied_value(path));
        }
        let at = ahead.at();
        let name = ahead.path();
        let Some(part) = path.attribute.sub(name) else {
            return Err(ahead.error_at(at, format!("{} has no part {}", path.attribute.name, quoted(name))));
        };
        self.cursor = ahead;
        Ok(Some(part.clone()))
    }

    /// `emails[type eq "work"] eq "x"` compares `value`.
    fn implied_value(&self, path: &AttrPath) -> Option<Arc<Attribute>> {
        let mut ahead = self.cursor.clone();
        if !ahead.skip_space() {
            return None;
        }
        let word = ahead.word();
        let operator = CompareOp::parse(word).is_some() && ahead.byte_after(word.len()) == Some(b' ');
        operator.then(|| path.attribute.sub("value").cloned()).flatten()
    }

    fn brackets(&mut self, path: &AttrPath) -> Result<Expr, FilterError> {
        self.deeper(|parser| {
            parser.cursor.eat('[');
            let condition = parser.or(Some(path))?;
            parser.close(']')?;
            Ok(condition)
        })
    }
}

/// RFC 7644 section 3.4.2.1: an attribute that a kind does not have matches nothing. Absent, it would be `ne` to everything
/// and `eq null`; so these two ask for a value instead.
fn never(expr: Expr) -> Expr {
    match expr {
        Expr::Compare { path, op: CompareOp::Ne, literal } if literal != Literal::Null => {
            Expr::Compare { path, op: CompareOp::Eq, literal }
        }
        Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Null } => {
            Expr::Compare { path, op: CompareOp::Ne, literal: Literal::Null }
        }
        other => other,
    }
}
