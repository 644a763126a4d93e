//! Who may enter, and as whom.

use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::catalog::name::same;
use crate::catalog::permission::{Action, Securable, State};
use crate::catalog::principal::{DBO, GUEST, Login, PrincipalKind};
use crate::catalog::server::ServerAction;
use crate::directory::sid_of;
use crate::errors;
use crate::identity::Caller;
use crate::permissions::Access;
use crate::session_port::{Credentials, LoginRequest};

use super::config::PoolKind;
use super::token::Claims;
use super::{Database, Power, State as PoolState};
use crate::faults::{Fault, Point};

const ANONYMOUS: &str = "<token-identified principal>";

/// Admits or refuses a login.
pub(super) fn admit(
    state: &mut PoolState,
    config: &super::config::PoolConfig,
    request: &LoginRequest,
) -> Result<(Database, Caller), ServerError> {
    if let Some(Fault::Login(error)) = state.faults.strike(Point::Login, &request.app_name) {
        return Err(error);
    }
    let database = match request.database.as_deref().filter(|name| !name.is_empty()) {
        None => Database::Pool,
        Some(name) => {
            state.database_named(name, &config.database).ok_or_else(|| errors::no_such_database(name))?
        }
    };
    if database != Database::Master {
        match state.power {
            Power::Online => {}
            Power::Paused => return Err(errors::paused()),
            Power::Resuming => return Err(errors::warming_up()),
            Power::Scaling => return Err(errors::not_available(&config.database, &config.server_name)),
        }
    }
    let caller = match &request.credentials {
        Credentials::Sql { user, password } => with_password(state, database, user, password)?,
        Credentials::Token { jwt } => with_token(state, config, database, jwt)?,
    };
    Ok((database, caller))
}

fn with_password(
    state: &PoolState,
    database: Database,
    user: &str,
    password: &str,
) -> Result<Caller, ServerError> {
    let catalog = state.catalog(database);
    let login = catalog
        .login_named(user)
        .filter(|login| login.password.as_deref() == Some(password))
        .ok_or_else(|| errors::login_failed(user))?;
    caller_of_login(catalog, database, login)
}

fn caller_of_login(catalog: &Catalog, database: Database, login: &Login) -> Result<Caller, ServerError> {
    let mut caller = Caller {
        principal: DBO,
        user_name: "dbo".to_owned(),
        login_name: login.name.clone(),
        sid: login.sid.clone(),
        groups: Vec::new(),
        external: false,
        application: false,
        administrator: login.administrator,
        logins: vec![login.id],
    };
    if shut_out(catalog, &caller.logins) {
        return Err(errors::login_failed(&login.name));
    }
    if login.administrator {
        if database == Database::Master {
            caller.principal = GUEST;
            caller.user_name.clone_from(&login.name);
        }
        return Ok(caller);
    }
    match catalog.principal_with_sid(&login.sid) {
        Some(user) => {
            caller.principal = user.id;
            caller.user_name.clone_from(&user.name);
        }
        None if database == Database::Master => {
            caller.principal = GUEST;
            "guest".clone_into(&mut caller.user_name);
            return Ok(caller);
        }
        None if enters_any(catalog, &caller) => return Ok(guest(caller)),
        None => return Err(errors::not_in_database(&login.name, catalog.database())),
    }
    if may_connect(catalog, &caller) {
        Ok(caller)
    } else {
        Err(errors::not_in_database(&login.name, catalog.database()))
    }
}

fn with_token(
    state: &PoolState,
    config: &super::config::PoolConfig,
    database: Database,
    jwt: &str,
) -> Result<Caller, ServerError> {
    let claims = Claims::read(jwt, config.clock.now())?;
    // Without an Entra administrator no Entra principal can connect at all.
    let admin = config.entra_admin.as_deref().ok_or_else(|| errors::login_failed(ANONYMOUS))?;
    let person = claims.person();
    let directory = &state.directory;
    let app = claims.application().map(|id| (id, directory.app(id)));
    let (names, object_id): (Vec<&str>, Option<&str>) = match (person, &app) {
        (Some(upn), _) => {
            let known = directory.user(upn).map(|user| user.object_id.as_str());
            (vec![upn], known.or(claims.oid.as_deref()))
        }
        (None, Some((id, Some(app)))) => (vec![app.display_name.as_str(), *id], Some(app.app_id.as_str())),
        (None, Some((id, None))) => (vec![*id], Some(*id)),
        (None, None) => {
            let user = directory.users.iter().find(|user| {
                claims.oid.as_deref().is_some_and(|oid| user.object_id.eq_ignore_ascii_case(oid))
            });
            (user.map(|user| user.upn.as_str()).into_iter().collect(), claims.oid.as_deref())
        }
    };
    let sid = object_id.and_then(sid_of).unwrap_or_default();
    let mut group_sids: Vec<Vec<u8>> = claims.groups.iter().filter_map(|id| sid_of(id)).collect();
    let groups = directory.groups_of(&names);
    group_sids.extend(groups.iter().filter_map(|group| sid_of(&group.object_id)));
    let login_name = match (&app, names.first()) {
        (Some((id, _)), _) => {
            claims.tid.as_ref().map_or_else(|| (*id).to_owned(), |tenant| format!("{id}@{tenant}"))
        }
        (None, Some(name)) => (*name).to_owned(),
        (None, None) => claims.oid.clone().unwrap_or_default(),
    };
    let mut caller = Caller {
        principal: DBO,
        user_name: "dbo".to_owned(),
        login_name: login_name.clone(),
        sid,
        groups: Vec::new(),
        external: true,
        application: app.is_some(),
        administrator: false,
        logins: Vec::new(),
    };
    let is_admin = names.iter().any(|name| same(name, admin))
        || groups.iter().any(|group| same(&group.display_name, admin))
        || claims.oid.as_deref().is_some_and(|oid| oid.eq_ignore_ascii_case(admin));
    if is_admin {
        caller.administrator = true;
        if database == Database::Master {
            caller.principal = GUEST;
            caller.user_name = login_name;
        }
        return Ok(caller);
    }
    let catalog = state.catalog(database);
    if config.kind == PoolKind::Serverless {
        let speaks = |login: &&Login| login.sid == caller.sid || group_sids.contains(&login.sid);
        let own = |login: &&Login| login.password.is_none() && !login.sid.is_empty();
        let logins: Vec<&Login> = catalog.logins().filter(own).filter(speaks).collect();
        caller.logins = logins.iter().map(|login| login.id).collect();
        if shut_out(catalog, &caller.logins) {
            return Err(errors::login_failed(ANONYMOUS));
        }
        // An Entra login that is a server administrator needs no user.
        caller.administrator = logins.iter().any(|login| login.administrator);
    }
    if caller.administrator || (database == Database::Master && !caller.logins.is_empty()) {
        if database == Database::Master {
            caller.principal = GUEST;
            caller.user_name.clone_from(&caller.login_name);
        }
        return Ok(caller);
    }
    if database == Database::Master {
        return Err(errors::login_failed("NT AUTHORITY\\ANONYMOUS LOGON"));
    }
    caller.groups = catalog
        .principals()
        .filter(|principal| principal.kind == PrincipalKind::ExternalGroup)
        .filter(|principal| principal.sid.as_ref().is_some_and(|sid| group_sids.contains(sid)))
        .map(|principal| principal.id)
        .collect();
    let own = (!caller.sid.is_empty()).then(|| catalog.principal_with_sid(&caller.sid)).flatten();
    if let Some(user) = own {
        caller.principal = user.id;
        caller.user_name.clone_from(&user.name);
    } else if let Some(group) = caller.groups.first() {
        caller.principal = *group;
        caller.user_name.clone_from(&caller.login_name);
    } else if enters_any(catalog, &caller) {
        return Ok(guest(caller));
    } else {
        return Err(errors::login_failed(ANONYMOUS));
    }
    if may_connect(catalog, &caller) { Ok(caller) } else { Err(errors::login_failed(ANONYMOUS)) }
}

/// A DENY of CONNECT SQL keeps a login out of every database.
fn shut_out(catalog: &Catalog, logins: &[i32]) -> bool {
    catalog.server().denies(logins, ServerAction::ConnectSql)
}

/// CONNECT ANY DATABASE lets a login in that has no user there.
fn enters_any(catalog: &Catalog, caller: &Caller) -> bool {
    catalog.server().allows(&caller.logins, ServerAction::ConnectAnyDatabase)
}

fn guest(caller: Caller) -> Caller {
    Caller { principal: GUEST, user_name: "guest".to_owned(), ..caller }
}

/// CONNECT on the database. A DENY binds everybody but `dbo`, members of `db_owner` included.
fn may_connect(catalog: &Catalog, caller: &Caller) -> bool {
    let access = Access::new(catalog, caller);
    let denied = access.grantees().iter().any(|grantee| {
        [Action::Connect, Action::Control].iter().any(|action| {
            catalog.states(*grantee, Securable::DATABASE, *action).any(|(_, state)| state == State::Deny)
        })
    });
    !denied && access.allows_database(Action::Connect)
}

#[cfg(test)]
mod tests {
    use crate::faults::Fault;
    use crate::pool::Power;
    use crate::session_port::Credentials;
    use crate::testing::{enter, number, ok, person, pool, request, sa, sql, token, try_login};
    use crate::{ServerError, errors};

    fn refused(result: Result<crate::session::Session, ServerError>) -> (i32, String) {
        let error = result.err().expect("the login must be refused");
        (error.number, error.message)
    }

    #[test]
    fn the_two_administrators_enter_as_dbo() {
        let pool = pool();
        assert_eq!(sa(&pool).caller().user_name, "dbo");
        let admin = enter(&pool, "ADMIN@x.org");
        assert_eq!((admin.caller().user_name.as_str(), admin.caller().external), ("dbo", true));
        assert_eq!(
            refused(try_login(&pool, sql("sa", "wrong"))),
            (18456, "Login failed for user 'sa'.".to_owned())
        );
        assert_eq!(refused(try_login(&pool, sql("nobody", "secret"))).0, 18456);
    }

    #[test]
    fn a_person_enters_as_a_user_or_through_a_group() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        assert_eq!(
            refused(try_login(&pool, person("bob@x.org"))),
            (18456, "Login failed for user '<token-identified principal>'.".to_owned())
        );
        ok(&mut admin, &["CREATE USER Everyone FROM EXTERNAL PROVIDER"]);
        let bob = enter(&pool, "bob@x.org");
        assert_eq!(bob.caller().user_name, "bob@x.org");
        assert_eq!(refused(try_login(&pool, person("ann@x.org"))).0, 18456);
        ok(&mut admin, &["CREATE USER [bob@x.org] FROM EXTERNAL PROVIDER"]);
        let bob = enter(&pool, "bob@x.org");
        assert_eq!(bob.caller().groups.len(), 1);
        assert_ne!(bob.caller().groups[0], bob.caller().principal);
    }

    #[test]
    fn deny_connect_keeps_a_user_out_of_its_groups_door_too() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        ok(
            &mut admin,
            &[
                "CREATE USER Everyone FROM EXTERNAL PROVIDER",
                "CREATE USER [bob@x.org] FROM EXTERNAL PROVIDER",
                "EXEC sp_addrolemember 'db_owner', 'bob@x.org'",
                "DENY CONNECT TO [bob@x.org]",
            ],
        );
        assert_eq!(refused(try_login(&pool, person("bob@x.org"))).0, 18456);
        ok(&mut admin, &["GRANT CONNECT TO [bob@x.org]", "DENY CONTROL ON DATABASE::dw TO [bob@x.org]"]);
        assert_eq!(refused(try_login(&pool, person("bob@x.org"))).0, 18456);
    }

    #[test]
    fn a_recreated_account_of_the_same_name_does_not_get_in() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        ok(&mut admin, &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
        drop(enter(&pool, "ann@x.org"));
        pool.change_directory(|directory| {
            directory.users[1].object_id = "aaaaaaaa-0000-0000-0000-0000000000ff".to_owned();
        });
        assert_eq!(refused(try_login(&pool, person("ann@x.org"))).0, 18456);
    }

    #[test]
    fn logins_made_in_master_need_a_user_in_the_pool() {
        let pool = pool();
        let mut master = pool.login(request(sql("sa", "secret"), Some("master"))).unwrap();
        ok(&mut master, &["CREATE LOGIN worker WITH PASSWORD = 'p'"]);
        assert_eq!(number(&mut master, "CREATE LOGIN WORKER WITH PASSWORD = 'p'"), 15025);
        assert_eq!(
            refused(try_login(&pool, sql("worker", "p"))),
            (
                916,
                "The server principal \"worker\" is not able to access the database \"dw\" under the current security \
                 context."
                    .to_owned()
            )
        );
        let mut admin = sa(&pool);
        assert_eq!(number(&mut admin, "CREATE LOGIN other WITH PASSWORD = 'p'"), 5001);
        ok(&mut admin, &["CREATE USER worker FOR LOGIN worker"]);
        assert_eq!(number(&mut admin, "CREATE USER second FOR LOGIN worker"), 15063);
        assert_eq!(try_login(&pool, sql("worker", "p")).unwrap().caller().user_name, "worker");
        ok(&mut admin, &["REVOKE CONNECT FROM worker"]);
        assert_eq!(refused(try_login(&pool, sql("worker", "p"))).0, 916);
    }

    #[test]
    fn entra_people_are_not_in_master() {
        let pool = pool();
        let error = pool.login(request(person("ann@x.org"), Some("master"))).err().unwrap();
        assert_eq!(
            (error.number, error.message.as_str()),
            (18456, "Login failed for user 'NT AUTHORITY\\ANONYMOUS LOGON'.")
        );
        let error = pool.login(request(sql("sa", "secret"), Some("other"))).err().unwrap();
        assert_eq!(error.number, 4060);
    }

    #[test]
    fn a_pool_that_does_not_run_says_so() {
        let pool = pool();
        let mut admin = sa(&pool);
        pool.set_power(Power::Paused);
        assert_eq!(admin.batch("SELECT 1 AS a"), [crate::Answer::Hangup]);
        assert_eq!(
            refused(try_login(&pool, sql("sa", "secret"))),
            (
                42108,
                "Can not connect to the SQL pool since it is paused. Please resume the SQL pool and try again.".to_owned()
            )
        );
        pool.set_power(Power::Resuming);
        assert_eq!(
            refused(try_login(&pool, sql("sa", "secret"))),
            (42109, "The SQL pool is warming up. Please try again.".to_owned())
        );
        pool.set_power(Power::Online);
        drop(sa(&pool));
    }

    #[test]
    fn without_an_entra_administrator_no_token_is_admitted() {
        let mut config = crate::pool::config::PoolConfig::new("sa", "secret");
        config.directory = pool().config().directory.clone();
        let pool = crate::pool::Pool::new(config);
        assert_eq!(refused(try_login(&pool, person("admin@x.org"))).0, 18456);
    }

    #[test]
    fn applications_enter_by_client_id_and_armed_faults_strike_once() {
        let pool = pool();
        let mut admin = enter(&pool, "admin@x.org");
        ok(&mut admin, &["CREATE USER robot FROM EXTERNAL PROVIDER"]);
        let app: fn() -> Credentials =
            || token(r#"{"appid":"cccccccc-0000-0000-0000-000000000001","idtyp":"app","tid":"t"}"#);
        pool.arm(Fault::Login(errors::not_available("dw", "server")));
        assert_eq!(refused(try_login(&pool, app())).0, 40613);
        let robot = try_login(&pool, app()).unwrap();
        assert_eq!(robot.caller().user_name, "robot");
        assert_eq!(robot.caller().login_name, "cccccccc-0000-0000-0000-000000000001@t");
    }
}
