//! What the tests of this crate share: a pool with a small tenant, sessions in it, and short ways to say what must be.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::macros::datetime;

use crate::answer::{Answer, ServerError};
use crate::catalog::permission::{Action, Securable};
use crate::clock::FixedClock;
use crate::directory::Directory;
use crate::pool::Pool;
use crate::pool::config::{PoolConfig, PoolKind};
use crate::session::Session;
use crate::session_port::{Credentials, LoginRequest};

const DIRECTORY: &str = r#"{
    "users": [
        {"upn": "admin@x.org", "objectId": "aaaaaaaa-0000-0000-0000-000000000001"},
        {"upn": "ann@x.org", "objectId": "aaaaaaaa-0000-0000-0000-000000000002"},
        {"upn": "bob@x.org", "objectId": "aaaaaaaa-0000-0000-0000-000000000003"},
        {"upn": "cy@x.org", "objectId": "aaaaaaaa-0000-0000-0000-000000000004"}
    ],
    "groups": [
        {"displayName": "Readers", "objectId": "bbbbbbbb-0000-0000-0000-000000000001", "members": ["bob@x.org"]},
        {"displayName": "Everyone", "objectId": "bbbbbbbb-0000-0000-0000-000000000002", "members": ["Readers"]}
    ],
    "apps": [
        {"displayName": "robot", "appId": "cccccccc-0000-0000-0000-000000000001", "objectId": "cccccccc-0000-0000-0000-00000000000f"},
        {"displayName": "twin", "appId": "cccccccc-0000-0000-0000-000000000002", "objectId": "cccccccc-0000-0000-0000-000000000003"},
        {"displayName": "twin", "appId": "cccccccc-0000-0000-0000-000000000004", "objectId": "cccccccc-0000-0000-0000-000000000005"}
    ]
}"#;

/// A pool of this kind whose clock stands still.
pub(crate) fn pool_of(kind: PoolKind) -> Arc<Pool> {
    let mut config = PoolConfig::new("sa", "secret");
    config.kind = kind;
    config.entra_admin = Some("admin@x.org".to_owned());
    config.directory = Directory::parse(DIRECTORY).unwrap();
    config.clock = Arc::new(FixedClock(datetime!(2026-03-01 12:00 UTC)));
    Pool::new(config)
}

pub(crate) fn pool() -> Arc<Pool> {
    pool_of(PoolKind::Dedicated)
}

pub(crate) fn request(credentials: Credentials, database: Option<&str>) -> LoginRequest {
    LoginRequest {
        credentials,
        database: database.map(str::to_owned),
        app_name: "test".to_owned(),
        host_name: "host".to_owned(),
        client_addr: "127.0.0.1:9".to_owned(),
        language: None,
    }
}

pub(crate) fn sql(user: &str, password: &str) -> Credentials {
    Credentials::Sql { user: user.to_owned(), password: password.to_owned() }
}

/// A token with this payload.
pub(crate) fn token(payload: &str) -> Credentials {
    Credentials::Token { jwt: format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload)) }
}

pub(crate) fn person(upn: &str) -> Credentials {
    token(&format!(r#"{{"upn":"{upn}"}}"#))
}

pub(crate) fn try_login(pool: &Arc<Pool>, credentials: Credentials) -> Result<Session, ServerError> {
    pool.login(request(credentials, Some("dw")))
}

/// The SQL administrator.
pub(crate) fn sa(pool: &Arc<Pool>) -> Session {
    try_login(pool, sql("SA", "secret")).unwrap()
}

/// A person of the tenant, or the Entra administrator.
pub(crate) fn enter(pool: &Arc<Pool>, upn: &str) -> Session {
    try_login(pool, person(upn)).unwrap()
}

pub(crate) fn error_of(answers: &[Answer]) -> Option<&ServerError> {
    crate::session::first_error(answers)
}

/// Runs batches that must all succeed.
#[track_caller]
pub(crate) fn ok(session: &mut Session, batches: &[&str]) {
    for batch in batches {
        let answers = session.batch(batch);
        assert_eq!(error_of(&answers), None, "{batch}");
    }
}

/// Runs a batch that must fail; gives number and text.
#[track_caller]
pub(crate) fn fails(session: &mut Session, batch: &str) -> (i32, String) {
    let answers = session.batch(batch);
    let error = error_of(&answers).unwrap_or_else(|| panic!("no error: {batch}"));
    (error.number, error.message.clone())
}

/// Runs a batch that must fail with this number.
#[track_caller]
pub(crate) fn number(session: &mut Session, batch: &str) -> i32 {
    fails(session, batch).0
}

/// Whether a user of the pool may do this on a whole object or, without one, on the database.
pub(crate) fn may(pool: &Arc<Pool>, user: &str, action: Action, object: Option<&str>) -> bool {
    let catalog = pool.snapshot();
    let principal = catalog.principal_named(user).unwrap();
    let caller = crate::identity::Caller {
        principal: principal.id,
        user_name: principal.name.clone(),
        login_name: principal.name.clone(),
        sid: principal.sid.clone().unwrap_or_default(),
        groups: Vec::new(),
        external: false,
        application: false,
        administrator: false,
        logins: Vec::new(),
    };
    let on = object.map_or(Securable::DATABASE, |name| {
        Securable::object(catalog.objects().find(|object| object.name == name).unwrap().id)
    });
    crate::permissions::Access::new(&catalog, &caller).allows(action, on)
}

/// The permission rows of a grantee as `state action class major minor by grantor`.
pub(crate) fn rows(pool: &Arc<Pool>, grantee: &str) -> Vec<String> {
    let catalog = pool.snapshot();
    let id = catalog.principal_named(grantee).unwrap().id;
    catalog
        .permissions_of(id)
        .filter(|row| row.key.action != Action::Connect)
        .map(|row| {
            let grantor = catalog.principal(row.key.grantor).unwrap().name.clone();
            let on = row.key.securable;
            let place = match on.class {
                crate::catalog::permission::Class::Database => "database".to_owned(),
                crate::catalog::permission::Class::Object => {
                    let object = catalog.object(on.major).unwrap();
                    let column = object.columns.iter().find(|column| column.id == on.minor);
                    column.map_or_else(
                        || object.name.clone(),
                        |column| format!("{}.{}", object.name, column.name),
                    )
                }
                crate::catalog::permission::Class::Schema => catalog.schema(on.major).unwrap().name.clone(),
                crate::catalog::permission::Class::Credential => "credential".to_owned(),
                crate::catalog::permission::Class::Other(number) => format!("class {number}"),
                crate::catalog::permission::Class::Principal => {
                    catalog.principal(on.major).unwrap().name.clone()
                }
            };
            format!("{} {} on {place} by {grantor}", row.state.letter(), row.key.action.name())
        })
        .collect()
}

/// The names of a role's members.
pub(crate) fn members(pool: &Arc<Pool>, role: &str) -> Vec<String> {
    let catalog = pool.snapshot();
    let id = catalog.principal_named(role).unwrap().id;
    catalog.members_of(id).map(|member| catalog.principal(member).unwrap().name.clone()).collect()
}
