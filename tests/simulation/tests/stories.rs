//! A small number of stories of each kind; `make soak` and `make simulation` tell many.

use axon_simulation::run::{On, STEPS, seed};

fn told(seeds: std::ops::RangeInclusive<u64>, on: On) {
    for number in seeds {
        if let Err(failure) = seed(number, STEPS, on) {
            let on = on.word();
            panic!("{failure}\nagain: cargo run -p axon-simulation --bin soak -- --seed {number} --on {on}");
        }
    }
}

#[test]
fn forty_stories_break_nothing() {
    told(1..=40, On::Memory);
}

#[test]
fn a_seed_tells_the_same_story_again_to_the_byte() {
    let [one, two, other] =
        [7, 7, 8].map(|number| seed(number, STEPS, On::Memory).expect("a story that breaks nothing"));
    assert_eq!((one.head.as_str(), one.ticks), (two.head.as_str(), two.ticks));
    assert_ne!(one.head, other.head);
}

#[test]
fn stories_on_an_sqlite_file_and_over_tds_break_nothing_either() {
    told(1..=3, On::Wire);
}

#[test]
fn a_target_that_fails_for_minutes_is_left_alone_and_met_again_soon() {
    told(1..=4, On::Loop);
}
