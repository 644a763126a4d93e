//! The types that a catalog knows, values of each, and each value as a literal of T-SQL and as it is read back.

use std::fmt::Write as _;

use axon_reconcile::ColumnType;
use time::macros::datetime;
use time::{Duration, PrimitiveDateTime};

use super::dice::Dice;

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Null,
    Bool(bool),
    Int(i64),
    /// Units of the last digit.
    Exact(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Guid([u8; 16]),
    Moment(PrimitiveDateTime),
}

const fn text(national: bool, fixed: bool, length: Option<u16>) -> ColumnType {
    ColumnType::Text { national, fixed, length }
}

const fn binary(fixed: bool, length: Option<u16>) -> ColumnType {
    ColumnType::Binary { fixed, length }
}

/// Every type, those with a length or a scale in several.
pub const TYPES: &[&[ColumnType]] = &[
    &[ColumnType::Bit],
    &[ColumnType::TinyInt],
    &[ColumnType::SmallInt],
    &[ColumnType::Int],
    &[ColumnType::BigInt],
    &[ColumnType::Real],
    &[ColumnType::Float],
    &[ColumnType::Money],
    &[ColumnType::SmallMoney],
    &[
        ColumnType::Decimal(5, 2),
        ColumnType::Decimal(9, 0),
        ColumnType::Decimal(9, 9),
        ColumnType::Decimal(17, 4),
    ],
    &[ColumnType::Date],
    &[ColumnType::SmallDateTime],
    &[ColumnType::DateTime],
    &[ColumnType::DateTime2(0), ColumnType::DateTime2(3), ColumnType::DateTime2(7)],
    &[ColumnType::DateTimeOffset(0), ColumnType::DateTimeOffset(7)],
    &[ColumnType::Time(0), ColumnType::Time(7)],
    &[ColumnType::UniqueIdentifier],
    &[text(false, true, Some(2)), text(false, true, Some(6)), text(false, true, Some(20))],
    &[text(true, true, Some(5)), text(true, true, Some(16))],
    &[
        text(false, false, Some(1)),
        text(false, false, Some(12)),
        text(false, false, Some(70)),
        text(false, false, None),
    ],
    &[
        text(true, false, Some(4)),
        text(true, false, Some(20)),
        text(true, false, Some(3_936)),
        text(true, false, Some(3_937)),
        text(true, false, None),
    ],
    &[binary(true, Some(1)), binary(true, Some(9))],
    &[binary(false, Some(4)), binary(false, Some(16)), binary(false, None)],
];

/// A type without its length or scale.
pub fn word(ty: ColumnType) -> String {
    let text = ty.to_string();
    text.split('(').next().unwrap().to_owned()
}

const TEXTS: [&str; 20] = [
    "EU,US",
    "a|b",
    "k:v",
    "EU",
    "eu",
    "EU ",
    "US",
    "7",
    "-3",
    "",
    " ",
    "O'Brien",
    "a@b.com",
    "kim@acme.co.uk",
    "x.y@z",
    "@x.y",
    "+49 (30) 12-9",
    "é1",
    "١٢",
    "a]b%_[c]",
];
/// What attributes and literals are drawn from, too.
pub const SHORT: [&str; 9] = ["EU", "eu", "EU ", "US", "7", "O'Brien", "a|b", "", "é1"];

/// Digits behind the point of an exact number.
pub fn scale(ty: ColumnType) -> u32 {
    match ty {
        ColumnType::Money | ColumnType::SmallMoney => 4,
        ColumnType::Decimal(_, scale) => scale.into(),
        _ => 0,
    }
}

/// The lowest and the highest value of an exact number's type, in units of the last digit.
pub fn ends(ty: ColumnType) -> Option<(i128, i128)> {
    Some(match ty {
        ColumnType::TinyInt => (0, 255),
        ColumnType::SmallInt => (-32_768, 32_767),
        ColumnType::Int | ColumnType::SmallMoney => (-2_147_483_648, 2_147_483_647),
        ColumnType::BigInt | ColumnType::Money => (-9_223_372_036_854_775_808, 9_223_372_036_854_775_807),
        ColumnType::Decimal(digits, _) => {
            let end = 10_i128.pow(digits.into()) - 1;
            (-end, end)
        }
        _ => return None,
    })
}

pub fn is_whole(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt)
}

/// Those that have days and a year.
pub fn is_dated(ty: ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Date | ColumnType::SmallDateTime | ColumnType::DateTime | ColumnType::DateTime2(_)
    )
}

const MOMENTS: [PrimitiveDateTime; 12] = [
    datetime!(1600-05-31 23:59:59.9999999),
    datetime!(1899-12-31 12:00),
    datetime!(1900-01-01 0:00),
    datetime!(1987-11-30 6:07:08.123),
    datetime!(2024-02-17 9:30),
    datetime!(2024-02-17 9:29),
    datetime!(2024-05-10 9:30),
    datetime!(2024-05-10 9:29:59.9999999),
    datetime!(2024-05-10 0:00),
    datetime!(2024-05-16 9:30:00.0000001),
    datetime!(2024-05-18 0:00),
    datetime!(2079-06-05 23:58),
];
const DAY: i128 = 864_000_000_000;
/// Since when ticks are counted here.
const ORIGIN: PrimitiveDateTime = datetime!(0001-01-01 0:00);

fn ticks(at: PrimitiveDateTime) -> i128 {
    (at - ORIGIN).whole_nanoseconds() / 100
}

/// An instant in the precision of a type, cut.
fn moment(at: PrimitiveDateTime, ty: ColumnType) -> PrimitiveDateTime {
    let from = |ticks: i128| {
        let (seconds, rest) = (ticks / 10_000_000, ticks % 10_000_000);
        ORIGIN
            + Duration::seconds(i64::try_from(seconds).unwrap())
            + Duration::nanoseconds(i64::try_from(rest * 100).unwrap())
    };
    let cut = |unit: i128| from(ticks(at) / unit * unit);
    let digits = |n: u8| cut(10_i128.pow(7 - u32::from(n)));
    let at = match ty {
        ColumnType::SmallDateTime => at.max(datetime!(1900-01-01 0:00)),
        ColumnType::DateTime => at.max(datetime!(1753-01-01 0:00)),
        _ => at,
    };
    match ty {
        ColumnType::Date => cut_day(at),
        ColumnType::SmallDateTime => at.replace_second(0).unwrap().replace_nanosecond(0).unwrap(),
        ColumnType::DateTime => {
            // Three-hundredths of a second.
            let (day, within) = (ticks(at) / DAY * DAY, ticks(at) % DAY);
            let thirds = within * 300 / 10_000_000;
            from(day + (thirds * 10_000_000 * 2 + 300) / 600)
        }
        ColumnType::DateTime2(n) | ColumnType::DateTimeOffset(n) => digits(n),
        ColumnType::Time(n) => {
            let time = digits(n).time();
            PrimitiveDateTime::new(time::macros::date!(1900 - 01 - 01), time)
        }
        _ => panic!("{ty} has no instants"),
    }
}

fn cut_day(at: PrimitiveDateTime) -> PrimitiveDateTime {
    at.replace_time(time::Time::MIDNIGHT)
}

/// What a text becomes in a column.
pub fn in_column(text: &str, ty: ColumnType) -> String {
    let ColumnType::Text { fixed, length, .. } = ty else { panic!("{ty} has no texts") };
    let Some(length) = length.map(usize::from) else { return text.to_owned() };
    let cut: String = text.chars().take(length).collect();
    if fixed { format!("{cut:<length$}") } else { cut }
}

/// A value of a type; NULL one time in seven.
pub fn datum(dice: &mut Dice, ty: ColumnType) -> Datum {
    if dice.one_in(7) {
        return Datum::Null;
    }
    match ty {
        ColumnType::Bit => Datum::Bool(dice.one_in(2)),
        ColumnType::Real | ColumnType::Float => {
            #[expect(clippy::cast_precision_loss, reason = "quarters of small numbers are exact")]
            let quarters = dice.between(-4_000, 4_000) as f64 / 4.0;
            Datum::Float(quarters)
        }
        ColumnType::UniqueIdentifier => {
            let last = u8::try_from(dice.below(4)).unwrap();
            let mut id = [0xA0 | last; 16];
            id[15] = last;
            Datum::Guid(id)
        }
        ColumnType::Binary { fixed, length } => {
            let longest = usize::from(length.unwrap_or(30));
            let count = dice.below(longest + 1);
            let mut bytes: Vec<u8> = (0..count).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
            if fixed {
                bytes.resize(longest, 0);
            }
            Datum::Bytes(bytes)
        }
        ColumnType::Text { national, length, .. } => {
            let narrow = |text: &&str| national || text.chars().all(|c| c.is_ascii() || c == 'é');
            let fits = |text: &&str| length.is_none_or(|n| text.chars().count() <= n.into());
            let all: Vec<&str> = TEXTS.iter().copied().filter(narrow).filter(fits).collect();
            let text = if length >= Some(3_936) && dice.one_in(2) {
                // Told apart by the last character alone.
                format!("{:x<3935}{}", "", dice.of(&["1", "2"]))
            } else if dice.one_in(3) {
                let longest = usize::from(length.unwrap_or(40)).min(40);
                (0..dice.below(longest + 1))
                    .map(|_| dice.of(&['a', 'B', 'c', '@', '.', ' ', '0', '4', '-']))
                    .collect()
            } else if dice.one_in(2) {
                dice.of(&all).to_owned()
            } else {
                // What people's attributes are drawn from.
                let short: Vec<&str> = SHORT.iter().copied().filter(narrow).filter(fits).collect();
                dice.of(&short).to_owned()
            };
            Datum::Text(in_column(&text, ty))
        }
        _ if ends(ty).is_some() => {
            let (lowest, highest) = ends(ty).unwrap();
            let small = i128::from(dice.between(-60, 60));
            let value = match dice.below(8) {
                0 => lowest,
                1 => highest,
                // About the first range of a bucket.
                2 | 3 => lowest + small.abs() % 12 * 10_i128.pow(scale(ty)),
                4 => small * 10_i128.pow(scale(ty)),
                5 => small,
                // What people's attributes are drawn from.
                _ => small % 4 * 10_i128.pow(scale(ty)),
            };
            let value = value.clamp(lowest, highest);
            if is_whole(ty) { Datum::Int(i64::try_from(value).unwrap()) } else { Datum::Exact(value) }
        }
        _ => Datum::Moment(moment(dice.of(&MOMENTS), ty)),
    }
}

/// A number from units of its last digit.
pub fn exact(units: i128, ty: ColumnType) -> String {
    let digits = scale(ty);
    let one = 10_u128.pow(digits);
    let (whole, part) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let sign = if units < 0 { "-" } else { "" };
    if digits == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{part:0width$}", width = usize::try_from(digits).unwrap())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn guid(id: &[u8; 16]) -> String {
    let all = hex(id);
    let all = &all[2..];
    format!("{}-{}-{}-{}-{}", &all[..8], &all[8..12], &all[12..16], &all[16..20], &all[20..])
}

/// A value as it is read back.
pub fn plain(value: &Datum, ty: ColumnType) -> Option<String> {
    Some(match value {
        Datum::Null => return None,
        Datum::Bool(yes) => yes.to_string(),
        Datum::Int(n) => n.to_string(),
        Datum::Exact(units) => exact(*units, ty),
        Datum::Float(n) => format!("{n:?}"),
        Datum::Text(text) => text.clone(),
        Datum::Bytes(bytes) => hex(bytes),
        Datum::Guid(id) => guid(id),
        Datum::Moment(at) => at.to_string(),
    })
}

/// A value as it is written.
pub fn literal(value: &Datum, ty: ColumnType) -> String {
    let quoted = |text: String| format!("N'{}'", text.replace('\'', "''"));
    match value {
        Datum::Null => "NULL".to_owned(),
        Datum::Bool(yes) => u8::from(*yes).to_string(),
        Datum::Int(n) => n.to_string(),
        Datum::Exact(units) => exact(*units, ty),
        Datum::Float(n) => format!("{n:e}"),
        Datum::Text(text) => quoted(text.clone()),
        Datum::Bytes(bytes) => hex(bytes),
        Datum::Guid(id) => quoted(guid(id)),
        Datum::Moment(at) => {
            let day = format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day());
            let clock = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
            let hundreds = at.nanosecond() / 100;
            quoted(match ty {
                ColumnType::Date => day,
                ColumnType::SmallDateTime => format!("{day} {clock}"),
                ColumnType::DateTime => format!("{day} {clock}.{:03}", (hundreds + 5_000) / 10_000),
                ColumnType::Time(_) => format!("{clock}.{hundreds:07}"),
                ColumnType::DateTimeOffset(_) => format!("{day} {clock}.{hundreds:07} +00:00"),
                _ => format!("{day} {clock}.{hundreds:07}"),
            })
        }
    }
}
