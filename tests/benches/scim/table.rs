//! The table of figures.

use crate::stage::Measured;
use crate::wire::as_f64;

/// One line.
pub struct Row(String);

/// The line above all.
pub fn head() {
    println!(
        "{:<40} {:>11}  {:>21}  {:>9}  {:>9}  {:>9}  {:>11}  {:>7}",
        "", "rate", "ratio", "p50", "p99", "CPU", "reads+writes", "clients"
    );
}

/// Prints a line.
pub fn print(row: &Row) {
    println!("{}", row.0);
}

impl Row {
    /// A load, against another's rate.
    pub fn of(what: &str, run: &Measured, against: Option<(f64, &str)>) -> Self {
        let Measured { load, cpu, reads, writes, commits } = run;
        let ratio = against.map(|(rate, of)| format!("{:.2} {of}", load.rate() / rate)).unwrap_or_default();
        let micros = cpu.as_secs_f64() * 1e6 / as_f64(load.count().max(1));
        let commits = if *commits > 0.0 {
            format!("  {:.0} share a commit", as_f64(load.count()) / commits)
        } else {
            String::new()
        };
        Self(format!(
            "{what:<40} {:>8.0} /s  {ratio:>21}  {:>6.2} ms  {:>6.2} ms  {micros:>6.1} us  {reads:>5.2}+{writes:<5.2}  {:>6.0}%{commits}",
            load.rate(),
            load.p(50),
            load.p(99),
            load.client_share() * 100.0,
        ))
    }
}
