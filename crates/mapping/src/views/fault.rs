//! Why a view has no body.

use std::fmt;

use axon_reconcile::{ColumnType, ObjectName};

use crate::place::Place;
use crate::secure_view::SecureView;

/// One thing that keeps a view from being compiled. The view shows nothing until it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFault {
    /// Which view.
    pub view: ObjectName,
    /// Where in the map.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl ViewFault {
    pub(super) fn new(
        view: &SecureView,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { view: view.name, place: place.clone(), message: message.into(), help: help.into() }
    }
}

/// The type of a column, as it is said behind the column's name.
pub(super) fn of_type(ty: ColumnType) -> String {
    match ty {
        ColumnType::Other => ", whose type Axon does not know".to_owned(),
        ty => format!(" of type {ty}"),
    }
}

impl fmt::Display for ViewFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { view, place, message, help } = self;
        write!(f, "{place}: view {view} shows nothing: {message}\n    = {help}")
    }
}
