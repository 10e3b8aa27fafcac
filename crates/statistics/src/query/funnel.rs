//! Funnels: pages and events in an order, and how many visitors came how far.

use super::goal::Goal;

/// The most steps of a funnel.
pub const STEPS_MAX: usize = 10;

/// What stands before each condition of a step.
const WHERE: &str = " where ";

/// Within what the steps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// A session.
    Session,
    /// A visitor's day.
    Day,
}

/// A funnel. Its steps are the values of [`super::Dimension::Funnel`], from `1`.
#[derive(Debug, Clone)]
pub struct Funnel {
    /// The steps in their order. Names have no meaning here.
    pub(super) steps: Vec<Goal>,
    /// Within what they are.
    pub within: Within,
    /// Between two steps there is no other page view, and no other event of a type that a step names.
    pub is_strict: bool,
}

impl Funnel {
    /// A funnel of steps as people write them: `page /cart*`, `event order`, `goal NAME`, each with as many conditions as are
    /// wanted: `page /cart* where country is DE where source is Google`.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn read(texts: &[&str], within: Within, is_strict: bool, goals: &[Goal]) -> Result<Funnel, String> {
        if !(2..=STEPS_MAX).contains(&texts.len()) {
            return Err(format!("a funnel has from 2 to {STEPS_MAX} steps"));
        }
        let steps = texts.iter().map(|text| step(text, goals)).collect::<Result<_, _>>()?;
        Ok(Funnel { steps, within, is_strict })
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no step, which is never so.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps, as goals.
    pub fn steps(&self) -> impl Iterator<Item = &Goal> {
        self.steps.iter()
    }
}

fn step(text: &str, goals: &[Goal]) -> Result<Goal, String> {
    let mut parts = text.split(WHERE);
    let goal = match parts.next().unwrap_or("").trim().split_once(' ') {
        Some(("page", page)) => Goal::checked("step", None, Some(page.trim()))?,
        Some(("event", event)) => Goal::checked("step", Some(event.trim()), None)?,
        Some(("goal", name)) => {
            let name = name.trim();
            let goal = goals.iter().find(|goal| goal.name == name).cloned();
            goal.ok_or_else(|| format!("there is no goal {name:?}"))?
        }
        _ => {
            return Err(format!(
                "{text:?} is no step: write page PATH, event TYPE or goal NAME, and `where CONDITION` behind it as often as wanted"
            ));
        }
    };
    goal.only(&parts.map(str::trim).collect::<Vec<&str>>()).map_err(|why| format!("{text:?}: {why}"))
}

/// How far a visitor, or a session, has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    pub(super) within: Within,
    pub(super) is_strict: bool,
    /// Steps that were reached.
    pub(super) reached: u32,
    /// With a bit for each step: whether the last event is this one, and those right before it are the steps before.
    last: u64,
}

impl Walk {
    pub(super) fn new(funnel: &Funnel) -> Walk {
        Walk { within: funnel.within, is_strict: funnel.is_strict, reached: 0, last: 0 }
    }

    /// Begins anew.
    pub(super) fn begin(&mut self) {
        self.reached = 0;
        self.last = 0;
    }

    /// An event that is each of `steps`, a bit for each. Returns how many steps are reached then.
    pub(super) fn go(&mut self, steps: u64) -> u32 {
        if self.is_strict {
            self.last = ((self.last << 1) | 1) & steps;
            self.reached = self.reached.max(u64::BITS - self.last.leading_zeros());
        } else if steps.checked_shr(self.reached).unwrap_or(0) & 1 == 1 {
            self.reached += 1;
        }
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::On;

    #[test]
    fn steps_are_pages_events_and_goals() {
        let goals = [Goal::checked("Sign up", Some("signup"), None).unwrap()];
        let read = |texts: &[&str]| Funnel::read(texts, Within::Session, false, &goals);
        let funnel = read(&["page /cart*", "event  order", "goal Sign up"]).unwrap();
        assert!(funnel.steps().all(|step| step.conditions.is_empty()));
        let event = |name: &str| On::Event(name.to_owned());
        let wanted = [On::Page("/cart*".to_owned()), event("order"), event("signup")];
        assert_eq!(funnel.steps().map(|step| step.on.clone()).collect::<Vec<_>>(), wanted);
        // Each step has conditions of its own, and those of its goal.
        let long = format!("page /{}  where  page is /a where country is DE", "x".repeat(200));
        let only = Goal::checked("Pro", Some("order"), None).unwrap().only(&["product is 17"]).unwrap();
        let texts = ["goal Pro where source is Google where source is ", &long];
        let funnel = Funnel::read(&texts, Within::Session, false, &[only]).unwrap();
        let conditions = |step: &Goal| format!("{:?}", step.conditions);
        let wanted = [
            r#"[On(Product, Is(["17"])), On(Source, Is(["Google"])), On(Source, Is([""]))]"#,
            r#"[On(Page, Is(["/a"])), On(Country, Is(["DE"]))]"#,
        ];
        assert_eq!(funnel.steps().map(conditions).collect::<Vec<_>>(), wanted);
        for (texts, why) in [
            (&["page / where planet is Mars", "page /"][..], "planet is Mars"),
            (&["page / where goal is Sign up", "page /"], "condition on goals"),
            (&["page /", "where country is DE"], "is no step"),
            (&["page /"], "from 2 to 10 steps"),
            (&["page /"; 11], "from 2 to 10 steps"),
            (&["page /", "order"], "\"order\" is no step"),
            (&["page /", "goal Buy"], "no goal \"Buy\""),
            (&["page /", "page cart"], "does not begin with /"),
            (&["page /", "event request"], "are no events"),
        ] {
            let said = read(texts).unwrap_err();
            assert!(said.contains(why), "{texts:?}: {said}");
        }
    }

    #[test]
    fn a_walk_goes_on_with_the_next_step_and_strictly_with_the_next_event() {
        let reached = |is_strict, events: &[u64]| {
            let funnel = Funnel::read(&["page /", "page /", "page /"], Within::Day, is_strict, &[]).unwrap();
            let mut walk = Walk::new(&funnel);
            events.iter().map(|steps| walk.go(*steps)).last()
        };
        assert_eq!(reached(false, &[0b001, 0b000, 0b010, 0b001, 0b100]), Some(3));
        assert_eq!(reached(true, &[0b001, 0b000, 0b010, 0b001, 0b100]), Some(1));
        assert_eq!(reached(true, &[0b001, 0b001, 0b010, 0b100]), Some(3));
        // One event is one step, however many it could be.
        assert_eq!(reached(false, &[0b111, 0b111]), Some(2));
        assert_eq!(reached(true, &[0b111, 0b111]), Some(2));
        assert_eq!(reached(false, &[0b010, 0b100]), Some(0));
        assert_eq!(reached(false, &[0b111, 0b111, 0b111, 0b111]), Some(3));
    }
}
