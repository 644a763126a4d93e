//! Secure views in a pool: their statements, how they are applied, and what is read of them.

mod canary;
mod fill;
mod inspect;
mod key;
mod perform;
mod probe;
mod seen;

use axon_reconcile::SecureStep;
use axon_reconcile::secure::Metadata;

use crate::render::{self, Discreet, Managed, RoleTest, ViewVerb};
use crate::statement::Work;

pub(crate) use canary::clear as clear_canary;
pub(crate) use fill::{BulkLoads, fill};
pub(crate) use inspect::{inspect, live_sessions};
pub(crate) use key::{DrawnKeys, make_key};
pub(crate) use perform::perform;
pub(crate) use probe::probe;
pub(crate) use seen::{digest, filter_shown, in_force};

/// How a view's text reads the metadata of a target.
pub fn managed(metadata: &Metadata) -> Managed {
    Managed {
        schema: metadata.schema,
        roles: RoleTest::IsRoleMember,
        delimiters: metadata.delimiters,
        impersonation: metadata.impersonation,
        by_session: metadata.by_session,
    }
}

/// The statements of one step.
pub(crate) fn work(step: &SecureStep) -> Work {
    let plain = |sql| vec![Discreet::plain(sql)];
    Work::Secure(match step {
        SecureStep::CreateOwner { name } => plain(render::create_owner(*name)),
        SecureStep::CreateSchema { name, owner } => plain(render::create_schema(*name, *owner)),
        SecureStep::CreateTable { schema, table } => plain(render::create_table(*schema, *table)),
        SecureStep::CreateKey { schema, id } => return Work::Key { schema: *schema, id: id.clone() },
        SecureStep::WriteProfile { schema, principal, remove, add, loses: _ } => {
            let mut all = render::delete_rows(*schema, *principal, remove);
            all.extend(render::insert_rows(*schema, add));
            all
        }
        SecureStep::FillProfiles { schema, people: _, rows } => render::insert_rows(*schema, rows),
        SecureStep::DropProfiles { schema, people, loses: _ } => vec![render::delete_people(*schema, people)],
        SecureStep::LetAct { schema, window } => render::let_act(*schema, window),
        SecureStep::StopActing { schema, actor, person, in_session } => {
            vec![render::stop_acting(*schema, *actor, *person, *in_session)]
        }
        SecureStep::CreateView { view, metadata } => {
            plain(render::secure_view(view, ViewVerb::Create, managed(metadata)))
        }
        SecureStep::AlterView { view, metadata, unseen: _ } => {
            plain(render::secure_view(view, ViewVerb::Alter, managed(metadata)))
        }
        SecureStep::CloseView { view, because: _, unseen: _ } => {
            plain(render::closed_view(*view, ViewVerb::Alter))
        }
        SecureStep::DropView { view } => plain(render::view_query::drop_view(*view)),
        SecureStep::SetFilter { filter, metadata, make, policy } => {
            let all = render::set_filter(filter, managed(metadata), *make, *policy);
            all.into_iter().map(Discreet::plain).collect()
        }
        SecureStep::DropFilter { policy, tables: _ } => plain(render::drop_filter(*policy)),
        SecureStep::DropFunction { name } => plain(render::drop_function(*name)),
    })
}
