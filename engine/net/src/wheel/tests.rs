use super::*;

/// A wheel with slots of `ticks` and the instant it began at.
fn wheel(ticks: u32) -> (Wheel, Instant) {
    let start = Instant::now();
    (Wheel::with_slot(start, ticks), start)
}

fn due_at(wheel: &mut Wheel, now: Instant) -> Vec<u64> {
    let mut due = Vec::new();
    wheel.advance(now, &mut due);
    due.sort_unstable();
    due
}

#[test]
fn new_wheel_is_empty_and_asks_for_nothing() {
    let start = Instant::now();
    let wheel = Wheel::new(start);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_wakeup(start), None);
    assert_eq!(wheel.now_tick(), 0);
}

#[test]
fn ticks_are_tenths_of_seconds_rounded_down() {
    let (mut wheel, start) = wheel(1);
    for (millis, tick) in [(99, 0), (100, 1), (1099, 10), (60_000, 600)] {
        wheel.advance(start + Duration::from_millis(millis), &mut Vec::new());
        assert_eq!(wheel.now_tick(), tick);
    }
}

#[test]
fn entry_fires_once_at_the_end_of_its_second() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    wheel.insert(7, 13);
    assert!(!wheel.is_empty());
    assert_eq!(wheel.next_wakeup(start), Some(Duration::from_secs(2)));
    assert_eq!(due_at(&mut wheel, start + Duration::from_millis(1999)), []);
    assert_eq!(due_at(&mut wheel, start + Duration::from_secs(2)), [7]);
    assert!(wheel.is_empty());
    assert_eq!(due_at(&mut wheel, start + Duration::from_secs(300)), []);
}

#[test]
fn deadline_on_the_edge_of_a_slot_is_not_put_off() {
    let (mut wheel, start) = wheel(10);
    wheel.insert(1, 10);
    assert_eq!(due_at(&mut wheel, start + TICK * 10), [1]);
}

#[test]
fn advance_appends_to_what_is_there() {
    let (mut wheel, start) = wheel(1);
    wheel.insert(2, 1);
    let mut due = vec![1];
    wheel.advance(start + TICK, &mut due);
    assert_eq!(due, [1, 2]);
}

#[test]
fn deadline_in_the_past_fires_with_the_next_slot() {
    let (mut wheel, start) = wheel(10);
    let now = start + Duration::from_secs(50);
    wheel.advance(now, &mut Vec::new());
    for at in [0, 499, 500] {
        wheel.insert(u64::from(at), at);
    }
    assert_eq!(wheel.next_wakeup(now), Some(Duration::from_secs(1)));
    assert_eq!(
        due_at(&mut wheel, now + Duration::from_secs(1)),
        [0, 499, 500]
    );
}

#[test]
fn next_wakeup_is_the_nearest_slot_in_use() {
    let (mut wheel, start) = wheel(1);
    for at in [90, 30, 127] {
        wheel.insert(u64::from(at), at);
    }
    assert_eq!(wheel.next_wakeup(start), Some(TICK * 30));
    assert_eq!(
        wheel.next_wakeup(start + Duration::from_millis(2950)),
        Some(Duration::from_millis(50))
    );
    assert_eq!(wheel.next_wakeup(start + TICK * 40), Some(Duration::ZERO));
    assert_eq!(due_at(&mut wheel, start + TICK * 30), [30]);
    assert_eq!(wheel.next_wakeup(start + TICK * 30), Some(TICK * 60));
}

#[test]
fn deadline_beyond_a_turn_waits_for_its_turn() {
    let (mut wheel, start) = wheel(1);
    wheel.insert(1, 1000);
    let mut now = start;
    let mut wakeups = 0;
    let fired = loop {
        now += wheel.next_wakeup(now).unwrap();
        wakeups += 1;
        let due = due_at(&mut wheel, now);
        if !due.is_empty() {
            break due;
        }
    };
    assert_eq!(fired, [1]);
    assert_eq!(now - start, TICK * 1000);
    // Once a turn, and then for good.
    assert_eq!(wakeups, 8);
}

#[test]
fn turns_follow_each_other() {
    let (mut wheel, start) = wheel(1);
    for at in 1..=1000 {
        wheel.insert(u64::from(at), at);
        assert_eq!(due_at(&mut wheel, start + TICK * at), [u64::from(at)]);
    }
}

#[test]
fn long_pause_fires_all_that_is_due_and_nothing_else() {
    let (mut wheel, start) = wheel(1);
    for at in 1..=2000 {
        wheel.insert(u64::from(at), at);
    }
    let due = due_at(&mut wheel, start + TICK * 1500);
    assert_eq!(due, (1..=1500).collect::<Vec<u64>>());
    let due = due_at(&mut wheel, start + TICK * 100_000);
    assert_eq!(due, (1501..=2000).collect::<Vec<u64>>());
    assert!(wheel.is_empty());
}

#[test]
fn owner_that_put_its_deadline_off_inserts_again() {
    let (mut wheel, start) = wheel(1);
    let mut true_deadline = 50;
    wheel.insert(1, true_deadline);
    let mut fired = Vec::new();
    for tick in 1..=400 {
        if tick <= 200 {
            true_deadline = tick + 50; // activity: costs the wheel nothing
        }
        for _ in due_at(&mut wheel, start + TICK * tick) {
            if wheel.now_tick() < true_deadline {
                wheel.insert(1, true_deadline);
            } else {
                fired.push(tick);
            }
        }
    }
    assert_eq!(fired, [250]);
    assert!(wheel.is_empty());
}

#[test]
fn clock_that_goes_back_changes_nothing() {
    let (mut wheel, start) = wheel(1);
    wheel.advance(start + TICK * 20, &mut Vec::new());
    wheel.insert(1, 25);
    assert_eq!(due_at(&mut wheel, start + TICK * 3), []);
    assert_eq!(wheel.now_tick(), 20);
    assert_eq!(due_at(&mut wheel, start + TICK * 25), [1]);
}

#[test]
fn ticks_wrap_after_years_without_an_early_or_lost_entry() {
    let (mut wheel, start) = wheel(10);
    let wrap = start + TICK * u32::MAX;
    wheel.advance(wrap - TICK * 100, &mut Vec::new());
    let at = wheel.now_tick().wrapping_add(300);
    assert!(at < wheel.now_tick());
    wheel.insert(1, at);
    wheel.insert(2, wheel.now_tick().wrapping_add(50));
    assert_eq!(due_at(&mut wheel, wrap - TICK * 30), [2]);
    assert_eq!(due_at(&mut wheel, wrap + TICK * 199), []);
    assert_eq!(due_at(&mut wheel, wrap + TICK * 210), [1]);
}

#[test]
fn crowded_slot_gives_its_memory_back() {
    let (mut wheel, start) = wheel(1);
    for token in 0..10_000 {
        wheel.insert(token, 5);
    }
    assert_eq!(due_at(&mut wheel, start + TICK * 5).len(), 10_000);
    assert!(wheel
        .slots
        .iter()
        .all(|slot| slot.capacity() <= KEPT_CAPACITY));
}

#[test]
fn quiet_turn_does_not_allocate() {
    let (mut wheel, start) = wheel(1);
    wheel.insert(1, 4000);
    let mut due = Vec::new();
    let allocations = crate::testing::allocations_of(|| {
        for tick in 0..1000 {
            wheel.advance(start + TICK * tick, &mut due);
            wheel.next_wakeup(start + TICK * tick);
        }
    });
    assert_eq!(allocations, 0);
    assert!(due.is_empty());
}

/// Inserts and pauses at random and compares with a plain list of deadlines.
#[test]
fn random_use_loses_nothing_and_fires_nothing_early_or_late() {
    for width in [1, 3, 10] {
        let (mut wheel, start) = wheel(width);
        let mut seed = 42_u64 + u64::from(width);
        let mut random = move |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut pending: Vec<(u64, u64)> = Vec::new(); // token, tick
        let mut tick = 0;
        for token in 0..20_000 {
            let ahead = if random(20) == 0 { 5000 } else { 200 };
            let at = tick + random(ahead);
            wheel.insert(token, at as Tick);
            pending.push((token, at));
            if random(3) == 0 {
                let long = if random(50) == 0 { 3000 } else { 12 };
                tick += random(long);
                check_due(&mut wheel, start, tick, u64::from(width), &mut pending);
            }
        }
        let all = tick + 10_000;
        check_due(&mut wheel, start, all, u64::from(width), &mut pending);
        assert!(pending.is_empty() && wheel.is_empty());
    }
}

/// Advances to `tick`: what fires must be due, and what stays must have been due for less than a slot.
fn check_due(
    wheel: &mut Wheel,
    start: Instant,
    tick: u64,
    width: u64,
    pending: &mut Vec<(u64, u64)>,
) {
    let due = due_at(wheel, start + TICK * tick as u32);
    for token in due {
        let place = pending
            .iter()
            .position(|(other, _)| *other == token)
            .expect("fired once, and inserted before");
        let (_, at) = pending.swap_remove(place);
        assert!(at <= tick, "{token} due at {at} fired at {tick}");
    }
    for (token, at) in pending {
        assert!(
            *at + width > tick,
            "{token} due at {at} still waits at {tick}"
        );
    }
}
