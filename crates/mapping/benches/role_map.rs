//! The role map at the size that it is designed for: 100,000 users, 10,000 groups, 1,000,000 memberships, 500 roles, 2,000
//! mappings of which 200 have a pattern and 200 a condition. Each figure is that of one core; where
//! there are several runs, the first one, the best and the worst are told. The preview with its statements is a bench of the
//! crate that words them.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

mod designed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axon_mapping::explain::{Explainer, Known};
use axon_mapping::{Compared, Evaluator, Identity, Surroundings, check, preview};
use axon_model::{Delta, MemberKind, RecordSeq};
use designed::{
    GROUPS, MEMBERSHIPS, NOW, USERS, best, directory, group_id, parsed, peak, text, user, user_id,
};

fn main() {
    let (old_text, new_text) = (text(false), text(true));
    let (old, new) = (parsed(&old_text), parsed(&new_text));
    let directory = directory();
    println!("directory of {USERS} users, {GROUPS} groups, {MEMBERSHIPS} memberships: {:?} MiB", peak());
    let dw: axon_mapping::TargetName = "dw".parse().unwrap();

    let mut evaluator = Evaluator::new(old.clone(), &dw, Surroundings::default()).unwrap();
    best("whole evaluation", Duration::from_secs(1), 3, || evaluator.full(&directory, NOW));
    println!(
        "  {} principals, {} memberships, {:?} MiB",
        evaluator.graph().principals.len(),
        evaluator.graph().members.len(),
        peak()
    );

    let mut moved = directory.clone();
    let mut number = 0;
    best("after one user's change", Duration::from_millis(1), 200, || {
        number += 1;
        let kind = if number % 2 == 0 { "Guest" } else { "Employee" };
        let delta = Delta::UserPut { user: user(number, kind) };
        evaluator.follow(&mut moved, &[(delta, RecordSeq(10 + u64::from(number)))], NOW)
    });
    let mut number = 0;
    best("after one member more", Duration::from_millis(1), 200, || {
        number += 1;
        let delta =
            Delta::MemberAdded { group: group_id(number), member: MemberKind::User(user_id(number * 7)) };
        evaluator.follow(&mut moved, &[(delta, RecordSeq(1_000 + u64::from(number)))], NOW)
    });

    best("check and lint, with the directory", Duration::from_millis(300), 5, || {
        let map = parsed(&old_text);
        check(&map, Some(&directory), NOW).len()
    });

    let identity: Arc<Identity> = Arc::default();
    let compared = Compared {
        old: Some(&old),
        new: &new,
        directory: &directory,
        identity: &identity,
        beside: &Arc::default(),
        now: NOW,
    };
    let found = best("preview of another map", Duration::from_secs(2), 3, || preview(compared));
    println!("  {} gain, {} lose", found.people_gaining, found.people_losing);

    let around = BTreeMap::new();
    let beside = Arc::default();
    let known = Known { target: None, identity: &identity, around: &around, beside: &beside };
    let explainer = Explainer::new(&old, &directory, known, NOW);
    best("explain one person", Duration::from_millis(10), 50, || explainer.person("user4711@acme.com"));
    best("explain what one person lacks", Duration::from_millis(10), 20, || {
        explainer.missing("user4711@acme.com", "select on s3.t3").unwrap()
    });
    let holders = best("explain who has a grant", Duration::from_millis(10), 20, || {
        explainer.holders("select on s3.t3").unwrap()
    });
    println!("  {} have it", holders.holders.len());
    // Whoever reads any table has a part of this: the answer is as long as there are people.
    let began = Instant::now();
    let all = explainer.holders("select on database").unwrap().holders.len();
    let took = began.elapsed();
    println!(
        "explain a grant that {all} have: {:.0} ms, {:.2} ms for each 1,000 of them",
        took.as_secs_f64() * 1e3,
        took.as_secs_f64() * 1e6 / f64::from(u32::try_from(all).unwrap_or(u32::MAX))
    );
    println!("the most memory: {:?} MiB", peak());
    designed::end();
}
