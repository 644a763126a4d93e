//! Carrying a step about secure views out.

use axon_reconcile::{Refusal, RefusalKind, Retry, SecureStep, Step, ViewBody};

use super::inspect;
use crate::connect::Session;
use crate::error::CallError;
use crate::render::Discreet;

/// Sends the statements of a step; what is recorded of them goes into `sent` before the answer is known.
pub(crate) async fn perform(
    session: &mut Session<'_>,
    step: &Step,
    statements: Vec<Discreet>,
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    if let Step::Secure(SecureStep::CreateView { view, .. } | SecureStep::AlterView { view, .. }) = step {
        still_so(session, view).await?;
    }
    for statement in statements {
        sent.push(statement.recorded);
        session.run(&statement.sent).await?;
    }
    Ok(())
}

/// Whether the table still has the columns that the view was made for, each of the same type: else the view would fail, or
/// change a type in silence.
async fn still_so(session: &mut Session<'_>, view: &ViewBody) -> Result<(), CallError> {
    let columns = inspect::columns_of(session, view.from).await?;
    let gone = |kind, message: String| {
        Err(CallError::Refused { refusal: Refusal { kind, number: 0, message }, retry: Retry::Never })
    };
    if columns.is_empty() {
        return gone(RefusalKind::Missing, format!("table {} is not there any more", view.from));
    }
    for shown in &view.columns {
        match columns.iter().find(|(name, _)| *name == shown.name) {
            None => {
                let message = format!("{} has no column {} any more", view.from, shown.name);
                return gone(RefusalKind::Missing, message);
            }
            Some((_, ty)) if *ty != shown.ty => {
                let message =
                    format!("column {} of {} is {ty} now, and was {}", shown.name, view.from, shown.ty);
                return gone(RefusalKind::Missing, message);
            }
            Some(_) => {}
        }
    }
    Ok(())
}
