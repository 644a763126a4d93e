//! Carrying a step about secure views out.

use std::fmt::Write as _;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axon_model::SqlName;
use axon_reconcile::{Refusal, RefusalKind, Retry, SecureStep, Step, ViewBody};
use secrecy::SecretString;

use super::inspect;
use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, Discreet};

/// Bytes of a mask's key.
const KEY_BYTES: usize = 32;

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

/// Makes a key. It is in no text: what is sent has a parameter for it.
pub(crate) async fn make_key(
    session: &mut Session<'_>,
    schema: SqlName,
    id: &str,
    sent: &mut Vec<String>,
) -> Result<(), CallError> {
    let statement = render::create_key(schema);
    sent.push(render::key_recorded(schema, id));
    session.run_with(&statement, id, &random_key()?).await
}

fn random_key() -> Result<SecretString, CallError> {
    let mut bytes = [0_u8; KEY_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CallError::Unreachable("this machine has no random numbers".into()))?;
    let mut hex = String::with_capacity(2 * KEY_BYTES);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(SecretString::from(hex))
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
