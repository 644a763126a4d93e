//! A preview as people read it in a terminal: counts first, then what, then who, then the statements behind it.

use std::fmt;

use axon_reconcile::Mode;

use super::{
    Behind, Item, ItemPreview, Preview, PrincipalPreview, Reach, TargetPreview, TargetSteps, TextChange, Told,
};

/// How many things, principals and statements are told for each target.
pub const MOST: usize = 20;

/// A preview with the steps behind it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What changes for whom.
    pub preview: &'a Preview,
    /// What would be done.
    pub steps: &'a [TargetSteps],
    /// Whether every step is told, or the first ones of each target.
    pub every_step: bool,
}

pub(super) fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

pub(super) fn people(n: usize) -> String {
    plural(n, "person", "people")
}

/// `2 people gain`, `1 person loses`.
pub(super) fn gain(n: usize) -> String {
    format!("{} {}", people(n), if n == 1 { "gains" } else { "gain" })
}

pub(super) fn lose(n: usize) -> String {
    format!("{} {}", people(n), if n == 1 { "loses" } else { "lose" })
}

/// How many stand behind a change: people, and principals where these are not the same.
pub(super) fn behind(principals: usize, behind: usize) -> String {
    if principals == behind {
        people(behind)
    } else {
        format!("{}, {}", people(behind), plural(principals, "principal", "principals"))
    }
}

pub(super) fn items(items: &[Item]) -> String {
    let told: Vec<String> = items.iter().take(5).map(ToString::to_string).collect();
    let more = if items.len() > told.len() {
        format!(", and {} more", items.len() - told.len())
    } else {
        String::new()
    };
    format!("{}{more}", told.join(", "))
}

/// What the mode of a target makes of a preview.
pub(super) fn of_mode(mode: Option<Mode>) -> &'static str {
    match mode {
        Some(Mode::Authoritative) => "",
        Some(Mode::Additive) => "mode additive: what takes away is only shown",
        Some(Mode::Observe) => "mode observe: nothing of this is done",
        None => "the new map does not have this target: nothing is done there, and what is there stays",
    }
}

impl PrincipalPreview {
    pub(super) fn title(&self) -> String {
        match self.behind {
            Behind::Person => self.principal.to_string(),
            Behind::Group => format!("{} (group, {})", self.principal, people(self.people)),
            Behind::Service => format!("{} (service identity)", self.principal),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { preview, steps, every_step } = self;
        preview.fmt(f)?;
        steps.iter().try_for_each(|target| of_steps(f, target, *every_step))
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changes for anybody");
        }
        if self.targets.is_empty() {
            writeln!(f, "nobody gains or loses anything today")?;
        } else {
            writeln!(f, "{} and {} access", gain(self.people_gaining), lose(self.people_losing))?;
        }
        if !self.besides.is_empty() {
            writeln!(f, "{}", count_besides(self))?;
        }
        self.stays().try_for_each(|stay| writeln!(f, "! {stay}"))?;
        self.targets.iter().try_for_each(|target| target.fmt(f))?;
        tell_besides(f, &self.besides, MOST)
    }
}

/// What the text does besides, so much of each kind.
pub(super) fn tell_besides(f: &mut fmt::Formatter<'_>, all: &[TextChange], most: usize) -> fmt::Result {
    REACHES.iter().try_for_each(|(reach, title)| {
        let found: Vec<&TextChange> = all.iter().filter(|one| one.reach == *reach).collect();
        if found.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{title}:")?;
        found.iter().take(most).try_for_each(|one| writeln!(f, "  {} {one}", sign(*reach)))?;
        if found.len() > most { writeln!(f, "  and {} more", found.len() - most) } else { Ok(()) }
    })
}

/// What the text does besides, each kind under its heading.
pub(super) const REACHES: [(Reach, &str); 3] = [
    (Reach::Widened, "widened besides, for whoever comes to hold it"),
    (Reach::Narrowed, "narrowed besides"),
    (Reach::Same, "said otherwise, without effect on access"),
];

fn sign(reach: Reach) -> char {
    match reach {
        Reach::Widened => '+',
        Reach::Narrowed => '-',
        Reach::Same => '=',
    }
}

/// The counts of what the text does besides.
pub(super) fn count_besides(preview: &Preview) -> String {
    let Preview { widened, narrowed, besides, .. } = preview;
    format!(
        "besides, the text widens {}, narrows {} and says {} otherwise",
        plural(*widened, "thing", "things"),
        narrowed,
        besides.len() - widened - narrowed
    )
}

impl fmt::Display for TargetPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, mode, people_gaining, people_losing, stays: _, items: all, principals, waits } =
            self;
        writeln!(f, "\ntarget {target}: {}, {}", gain(*people_gaining), lose(*people_losing))?;
        if !of_mode(*mode).is_empty() {
            writeln!(f, "  {}", of_mode(*mode))?;
        }
        for ItemPreview { item, gaining, losing, people_gaining, people_losing } in all.iter().take(MOST) {
            let (gained, lost) = (behind(*gaining, *people_gaining), behind(*losing, *people_losing));
            match (gaining, losing) {
                (0, _) => writeln!(f, "  - {item}  ({lost})")?,
                (_, 0) => writeln!(f, "  + {item}  ({gained})")?,
                _ => writeln!(f, "  ± {item}  (+ {gained}, - {lost})")?,
            }
        }
        more(f, "  ", all.len())?;
        if !principals.is_empty() {
            writeln!(f, "  who:")?;
        }
        for principal in principals.iter().take(MOST) {
            write!(f, "    {}", principal.title())?;
            if !principal.gained.is_empty() {
                write!(f, "  + {}", items(&principal.gained))?;
            }
            if !principal.lost.is_empty() {
                write!(f, "  - {}", items(&principal.lost))?;
            }
            writeln!(f)?;
        }
        more(f, "    ", principals.len())?;
        if !waits.is_empty() {
            writeln!(f, "  would wait, or be withheld:")?;
        }
        for wait in waits.iter().take(MOST) {
            writeln!(f, "    {} ({})", wait.text, people(wait.people))?;
        }
        more(f, "    ", waits.len())
    }
}

fn of_steps(f: &mut fmt::Formatter<'_>, target: &TargetSteps, every: bool) -> fmt::Result {
    let TargetSteps { target, mode, to_do, would_wait, steps, withheld, findings } = target;
    let most = if every { usize::MAX } else { MOST };
    write!(f, "\nsteps in {target}: {to_do} to do, {would_wait} would wait")?;
    match of_mode(Some(*mode)) {
        "" => writeln!(f)?,
        words => writeln!(f, " ({words})")?,
    }
    for Told { step, statements, reasons: _ } in steps.iter().take(most) {
        match statements.as_slice() {
            [] => writeln!(f, "  {step}")?,
            statements => {
                statements.iter().flat_map(|sql| sql.lines()).try_for_each(|line| writeln!(f, "  {line}"))?;
            }
        }
    }
    left(f, *to_do, most)?;
    for Told { step, statements: _, reasons } in withheld.iter().take(most) {
        writeln!(f, "  WAITS: {step}\n         {}", reasons.join("; "))?;
    }
    left(f, *would_wait, most)?;
    for finding in findings.iter().take(most) {
        writeln!(f, "  ! {finding}")?;
    }
    left(f, findings.len(), most)
}

fn left(f: &mut fmt::Formatter<'_>, all: usize, most: usize) -> fmt::Result {
    if all > most { writeln!(f, "  and {} more (--steps tells all)", all - most) } else { Ok(()) }
}

fn more(f: &mut fmt::Formatter<'_>, indent: &str, all: usize) -> fmt::Result {
    if all > MOST { writeln!(f, "{indent}and {} more", all - MOST) } else { Ok(()) }
}
