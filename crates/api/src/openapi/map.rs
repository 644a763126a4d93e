//! The operations of the role map.

use super::asking::reason;
use super::operation::{Family, Op};
use super::schema::{
    Part, anything, closed, list, object, or_null, pattern, some_of, text, the, whole, word,
};

fn op(id: &str, summary: &str) -> Op {
    Op::new(Family::Operators, id, summary)
}

/// A version is named by its hash.
pub(super) fn hash() -> Part {
    pattern("^[0-9a-fA-F]{64}$", 64)
}

fn of_version(id: &str, summary: &str) -> Op {
    op(id, summary).at("version", "The version's hash", hash()).fails(&[400, 500])
}

/// GET /api/v1/map
pub fn current() -> Op {
    op("getMap", "The version in force, with its text")
        .told("Its entity tag is what a push onto it says in `If-Match`.")
        .gives_tagged(200, "The version.", the("MapVersion"))
        .fails(&[404, 500])
}

/// POST /api/v1/map
pub fn push() -> Op {
    let body = closed()
        .has("files", some_of(1, 256, the("MapFile")))
        .has("comment", reason())
        .may("parent", or_null(hash()))
        .may("run", or_null(the("Run")));
    let tag = pattern("^(\\*|\"[0-9a-fA-F]{64}\")$", 66);
    let waits = object().has("outcome", word(&["proposed"])).has("proposal", the("Proposal"));
    op("pushMap", "Push a version")
        .told("It says what it was made from: `parent`, or `If-Match`.")
        .hears("If-Match", "The entity tag of GET /api/v1/map, or *", tag)
        .takes(&body.part())
        .gives(200, "It is in force already.", taken_of("unchanged"))
        .gives(201, "It is in force.", taken_of("in-force"))
        .gives(202, "It waits for a second person.", waits.part())
        .fails(&[404, 409, 410, 412, 422, 428, 500])
}

fn taken_of(outcome: &str) -> Part {
    object().has("outcome", word(&[outcome])).has("version", the("MapHead")).part()
}

/// POST /api/v1/map/preview
pub fn preview() -> Op {
    let told = object()
        .has("gives", anything())
        .has("preview", anything())
        .has("steps", anything())
        .has("markdown", text());
    op("previewMap", "Who would gain and lose what")
        .told("Against the map in force and the directory as it is. Changes nothing.")
        .takes(&closed().has("files", some_of(1, 256, the("MapFile"))).part())
        .gives(200, "The preview, as data and as Markdown.", told.part())
        .fails(&[422, 500])
}

/// GET /api/v1/map/versions
pub fn versions() -> Op {
    let page = object().has("versions", list(the("MapHead"))).has("next_before", or_null(whole(0, None)));
    op("listMapVersions", "Versions, newest first")
        .asks("before", "The number of the last version that was seen", whole(0, Some(1 << 53)))
        .asks("limit", "How many; 20 if left out", whole(1, Some(100)))
        .gives(200, "A page of them.", page.part())
}

/// GET /api/v1/map/versions/{version}
pub fn version() -> Op {
    of_version("getMapVersion", "One version, with its text").gives(200, "The version.", the("MapVersion"))
}

/// GET /api/v1/map/proposals
pub fn proposals() -> Op {
    let all = object().has("proposals", list(the("Proposal")));
    op("listProposals", "Versions that wait or waited for a second person").gives(
        200,
        "The newest 50.",
        all.part(),
    )
}

/// GET /api/v1/map/proposals/{version}
pub fn proposal() -> Op {
    of_version("getProposal", "One proposal, with its text").gives(200, "The proposal.", the("Proposal"))
}

/// POST /api/v1/map/proposals/{version}/release
pub fn release() -> Op {
    answer("releaseProposal", "Let a version go on; another person than its author", taken_of("in-force"))
}

/// POST /api/v1/map/proposals/{version}/reject
pub fn reject() -> Op {
    answer("rejectProposal", "Say no to a version", object().has("outcome", word(&["rejected"])).part())
}

fn answer(id: &str, summary: &str, given: Part) -> Op {
    of_version(id, summary)
        .takes(&closed().has("reason", reason()).part())
        .gives(200, "It is answered.", given)
        .fails(&[409, 410, 412, 422])
}
