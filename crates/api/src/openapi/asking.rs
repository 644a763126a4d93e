//! The operations of holds, and of what is asked for beside the map.

use super::operation::{Family, Op};
use super::schema::{Members, Part, bounded, closed, flag, list, object, or_null, pattern, the, whole};

fn op(id: &str, summary: &str) -> Op {
    Op::new(Family::Operators, id, summary)
}

fn of_one(id: &str, summary: &str) -> Op {
    op(id, summary).at("id", "Its id", bounded(1, 64))
}

/// A reason as it may stand in the journal: something to read, no control characters.
pub(super) fn reason() -> Part {
    let seen = "[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
    let plain = "[^\\u0000-\\u001f\\u007f-\\u009f]";
    pattern(&format!("^{plain}*{seen}{plain}*$"), 1_000)
}

/// A person's `userName`.
fn user() -> Part {
    pattern(
        "^[^\\u0000-\\u0020\\u007f-\\u00a0]([^\\u0000-\\u001f\\u007f-\\u009f]{0,250}[^\\u0000-\\u0020\\u007f-\\u00a0])?$",
        252,
    )
}

fn why() -> Part {
    closed().has("reason", reason()).part()
}

fn held(op: Op) -> Op {
    op.takes(&why())
        .gives(200, "It is answered.", the("Hold"))
        .gives(202, "A second person has to say the same.", the("Hold"))
        .fails(&[409])
}

/// GET /api/v1/holds
pub fn holds() -> Op {
    op("listHolds", "What waits for a person").gives(
        200,
        "The open ones, oldest first.",
        object().has("holds", list(the("Hold"))).part(),
    )
}

/// GET /api/v1/holds/{id}
pub fn hold() -> Op {
    of_one("getHold", "One hold, with all that it is about").gives(200, "The hold.", the("Hold"))
}

/// POST /api/v1/holds/{id}/release
pub fn release() -> Op {
    held(of_one("releaseHold", "Let something go on"))
}

/// POST /api/v1/holds/{id}/reject
pub fn reject() -> Op {
    held(of_one("rejectHold", "Say no"))
}

fn requests(id: &str, summary: &str) -> Op {
    let all = object().has("requests", list(the("AccessRequest")));
    op(id, summary).gives(200, "Those that wait or count.", all.part())
}

fn asked(op: Op, body: Members) -> Op {
    op.takes(&body.has("reason", reason()).part())
        .gives(201, "It counts.", the("AccessRequest"))
        .fails(&[404, 409, 422])
}

fn ended(id: &str, summary: &str) -> Op {
    of_one(id, summary).takes(&why()).gives(200, "It has ended.", the("AccessRequest"))
}

fn seconds() -> Part {
    whole(0, Some(1 << 53))
}

/// GET /api/v1/offboardings
pub fn offboardings() -> Op {
    requests("listOffboardings", "Who is shut out")
}

/// POST /api/v1/offboardings
pub fn offboard() -> Op {
    let body =
        closed().has("user", user()).may("source", or_null(bounded(1, 64))).may("unknown", or_null(flag()));
    asked(op("offboard", "Shut somebody out at once"), body).gives(
        200,
        "It stands already.",
        the("AccessRequest"),
    )
}

/// POST /api/v1/offboardings/{id}/release
pub fn lift() -> Op {
    ended("liftOffboarding", "Let somebody in again")
}

/// GET /api/v1/grants
pub fn grants() -> Op {
    requests("listGrants", "Roles for a while")
}

/// POST /api/v1/grants
pub fn grant() -> Op {
    let body = closed()
        .has("user", user())
        .may("source", or_null(bounded(1, 64)))
        .has("role", bounded(1, 128))
        .may("target", or_null(bounded(1, 128)))
        .has("seconds", seconds());
    asked(op("grant", "Give somebody a role for a while"), body).gives(
        202,
        "It waits for a second person.",
        the("AccessRequest"),
    )
}

/// POST /api/v1/grants/{id}/revoke
pub fn revoke() -> Op {
    ended("revokeGrant", "End a role for a while before its time")
}

/// GET /api/v1/impersonations
pub fn impersonations() -> Op {
    requests("listImpersonations", "Who acts as whom")
}

/// POST /api/v1/impersonations
pub fn impersonate() -> Op {
    let body = closed()
        .has("user", user())
        .has("as", user())
        .may("source", or_null(bounded(1, 64)))
        .may("target", or_null(bounded(1, 128)))
        .may("session", or_null(bounded(4, 32)))
        .has("seconds", seconds())
        .may("reason", or_null(reason()));
    op("startImpersonation", "Let somebody read secure views as another person")
        .told("What the map does not allow is kept as a refusal, and answered 422.")
        .takes(&body.part())
        .gives(201, "It counts.", the("AccessRequest"))
        .gives(202, "It waits for a second person.", the("AccessRequest"))
        .fails(&[404, 409, 422])
}

/// POST /api/v1/impersonations/{id}/stop
pub fn stop() -> Op {
    ended("stopImpersonation", "End it before its time")
}
