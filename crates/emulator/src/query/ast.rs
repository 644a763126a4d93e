//! What a query says, before any name is looked up.

use crate::answer::SqlType;

/// A query expression with its common table expressions, order and page.
#[derive(Debug, Clone)]
pub struct Query {
    pub(crate) with: Vec<Cte>,
    pub(crate) body: Body,
    pub(crate) order: Vec<Order>,
    pub(crate) page: Option<Page>,
}

/// `name (columns) AS (query)`.
#[derive(Debug, Clone)]
pub(crate) struct Cte {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
    pub(crate) line: u32,
}

/// `OFFSET n ROWS FETCH NEXT m ROWS ONLY`.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) offset: Expr,
    pub(crate) fetch: Option<Expr>,
}

/// A SELECT, a VALUES list, or set operators over several of them.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    /// Applied from left to right.
    Set(Box<Body>, Vec<(SetOperator, Body)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperator {
    Union,
    UnionAll,
    Except,
    Intersect,
}

/// One SELECT block.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) top: Option<Expr>,
    pub(crate) items: Vec<Item>,
    pub(crate) from: Option<Source>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Expr>,
    pub(crate) having: Option<Expr>,
}

/// One entry of a select list.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// `*` or `t.*`.
    All { qualifier: Vec<String>, line: u32 },
    /// An expression, maybe named.
    One { value: Expr, alias: Option<String> },
}

/// What stands in a FROM clause.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A table, a view, a system view or a common table expression.
    Named {
        name: Vec<String>,
        alias: Option<String>,
        line: u32,
    },
    /// A query in parentheses.
    Derived {
        query: Box<Query>,
        alias: String,
        columns: Vec<String>,
        line: u32,
    },
    /// A call of an inline table-valued function.
    Function {
        name: Vec<String>,
        args: Vec<Expr>,
        alias: Option<String>,
        line: u32,
    },
    Join {
        left: Box<Source>,
        kind: Join,
        right: Box<Source>,
        on: Option<Expr>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// One key of an ORDER BY.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) key: Expr,
    pub(crate) descending: bool,
}

/// `OVER (PARTITION BY … ORDER BY … ROWS …)`.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) partition: Vec<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) frame: Option<Frame>,
}

/// The frame of a window.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) rows: bool,
    pub(crate) start: Bound,
    pub(crate) end: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    UnboundedPreceding,
    Preceding(u32),
    CurrentRow,
    Following(u32),
    UnboundedFollowing,
}

/// A call of a function by name.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: Vec<String>,
    pub(crate) args: Vec<Expr>,
    /// `COUNT(*)`.
    pub(crate) star: bool,
    pub(crate) distinct: bool,
    /// `WITHIN GROUP (ORDER BY …)`.
    pub(crate) within: Vec<Order>,
    pub(crate) over: Option<Window>,
    pub(crate) line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
    BitNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
    BitOr,
    BitXor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// The right side of IN.
#[derive(Debug, Clone)]
pub(crate) enum Set {
    List(Vec<Expr>),
    Query(Box<Query>),
}

/// A value or a condition; which of the two is the binder's question.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Null,
    Number(String),
    Text {
        value: String,
        national: bool,
    },
    Binary(Vec<u8>),
    /// `@x` or `@@x`, with its signs.
    Variable {
        name: String,
        line: u32,
    },
    Column {
        name: Vec<String>,
        line: u32,
    },
    Unary(Sign, Box<Expr>),
    /// Operators of one precedence, from left to right.
    Chain(Box<Expr>, Vec<(Operator, Expr)>),
    Compare(Box<Expr>, Comparison, Box<Expr>),
    /// `x > ALL (query)`; `all` is false for ANY and SOME.
    Quantified {
        left: Box<Expr>,
        comparison: Comparison,
        all: bool,
        query: Box<Query>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        value: Box<Expr>,
        negated: bool,
    },
    Between {
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    In {
        value: Box<Expr>,
        set: Set,
        negated: bool,
    },
    Like {
        value: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        negated: bool,
    },
    Exists(Box<Query>),
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        value: Box<Expr>,
        target: SqlType,
        style: Option<Box<Expr>>,
        /// TRY_CAST and TRY_CONVERT give NULL instead of an error.
        tries: bool,
    },
    Call(Box<Call>),
    Collate(Box<Expr>, String),
    Subquery(Box<Query>),
}

/// A value expression outside a query: the right side of SET, a PRINT.
#[derive(Debug, Clone)]
pub struct Expression(pub(crate) Expr);

/// `(@p type, …) RETURNS TABLE [WITH SCHEMABINDING] AS RETURN query`.
#[derive(Debug, Clone)]
pub struct InlineFunction {
    /// Parameters with their sign.
    pub(crate) parameters: Vec<(String, SqlType)>,
    pub(crate) schema_bound: bool,
    pub(crate) query: Query,
}

/// A condition outside a query: what IF tests.
#[derive(Debug, Clone)]
pub struct Condition(pub(crate) Expr);

/// A statement that changes the rows of a table.
#[derive(Debug, Clone)]
pub enum Change {
    /// `INSERT INTO t (columns) query`, VALUES included.
    Insert(Insert),
    /// `UPDATE t SET … FROM … WHERE …`.
    Update(Update),
    /// `DELETE FROM t …`.
    Delete(Delete),
}

/// INSERT.
#[derive(Debug, Clone)]
pub struct Insert {
    pub(crate) table: Vec<String>,
    pub(crate) columns: Vec<String>,
    /// `None` is DEFAULT VALUES.
    pub(crate) rows: Option<Query>,
    pub(crate) line: u32,
}

/// UPDATE.
#[derive(Debug, Clone)]
pub struct Update {
    pub(crate) table: Vec<String>,
    pub(crate) set: Vec<(String, Expr)>,
    pub(crate) from: Option<Source>,
    pub(crate) filter: Option<Expr>,
    pub(crate) line: u32,
}

/// DELETE.
#[derive(Debug, Clone)]
pub struct Delete {
    pub(crate) table: Vec<String>,
    pub(crate) from: Option<Source>,
    pub(crate) filter: Option<Expr>,
    pub(crate) line: u32,
}
