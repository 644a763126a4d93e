//! `axon view`

use clap::Subcommand;

/// Secure views.
#[derive(Debug, Subcommand)]
pub enum ViewCommand {
    /// Print the statements that views of the map come to, from a look at their tables; exit with 3 if one cannot be made
    Render {
        /// Only this view, as schema.name
        view: Option<String>,
        /// Only this target
        #[arg(long)]
        target: Option<String>,
    },
    /// Read each view as one person of each class of its readers, compare what is seen with the map, and record it; exit with 3 if
    /// something differs
    Probe {
        /// Only this view, as schema.name
        view: Option<String>,
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take the key of a column's hashes that stands in a target, or have a new one made where none does; on record
    Key {
        /// Which, as schema.table.column
        id: String,
        /// The target, where the map has several
        #[arg(long)]
        target: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
}
