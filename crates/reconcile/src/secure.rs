//! Secure views as a target holds them: the steps that make them, the metadata that they read, and what was seen of both.
//!
//! A plan about permissions knows nothing of views, since a view gives nobody anything by itself: grants on it do. Its steps
//! stand in the same plan, in an order of their own: what closes first, then what views stand on, then views.

mod acting;
mod closure;
mod diff;
mod filter;
mod filtering;
mod keys;
mod metadata;
mod probe;
mod profiles;
mod seen;
mod step;
mod when;

pub use acting::{ActingRow, ActingSession, LiveSession, Window, Windows, acting_steps, windows};
pub use closure::{Around, REACH, Watched, Ways, Who, puts_on};
pub use diff::{ViewsWanted, diff};
pub use filter::{
    FilterShown, Filters, FoundFunction, FoundPredicate, TableFilter, call as comparable_call, opened,
};
pub use keys::{KeyFault, KeyMarks, KnownKeys};
pub use metadata::{Delimiters, ManagedTable, Metadata, ProfileRow};
pub use probe::{
    Footing, KnownReader, Memberships, NativeCase, ProbeAnswer, ProbeCase, ProbeReader, ReaderClass, Sees,
    Standing, classes,
};
pub use profiles::{LINE, Profiles, apart, lets_read, profile_steps, readers, reading_groups, reading_roles};
pub use seen::{BaseTable, FoundView, ViewText, ViewsAsked, ViewsThere};
pub use step::{PolicyWork, SecureStep};
pub use when::put_into;
