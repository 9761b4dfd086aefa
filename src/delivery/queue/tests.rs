//! The rules of the queue, with every answer that a receiver can give.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn event(position: i64, stream: u128) -> Event {
    Event {
        delivery_id: Uuid::from_u128(1_000 + u128::try_from(position).unwrap()),
        event_type: WebhookEventType::SessionStarted,
        place: (0, position),
        recorded_at: at(position),
        stream_id: Some(Uuid::from_u128(stream)),
        session_id: None,
        replayed: false,
    }
}

fn queue(events: Vec<Event>) -> Queue {
    let mut queue = Queue::new(WebhookKind::Events, [(0, 0)], HashSet::new());
    let last = i64::try_from(events.len()).unwrap();
    assert_eq!(queue.extend(events, [(0, last)]), []);
    queue
}

fn cursor(queue: &Queue) -> i64 {
    queue.cursor().next().unwrap().1
}

#[test]
fn a_poison_event_holds_back_its_stream_alone() {
    let mut queue = queue(vec![event(1, 1), event(2, 1), event(3, 2)]);
    let rejected = AttemptOutcome::Rejected { retry_after: None };
    let first = queue.begin_next(at(0)).unwrap();
    let other = queue.begin_next(at(0)).unwrap();
    assert_eq!((first.place, other.place), ((0, 1), (0, 3)));
    assert_eq!(queue.begin_next(at(0)), None);
    let settled = queue.settle(first.delivery_id, rejected, at(1), 0.5);
    assert!(matches!(settled, Some(Settled::Recorded { state: DeliveryState::Waiting, attempts: 1, .. })));
    queue.settle(other.delivery_id, AttemptOutcome::Delivered, at(1), 0.5);
    assert_eq!((queue.begin_next(at(2)), cursor(&queue)), (None, 1));
    // Its second attempt, after 5 s, fails, too.
    assert_eq!(queue.begin_next(at(10)), Some(first.clone()));
    queue.settle(first.delivery_id, rejected, at(10), 0.5);
    // Others of the stream go on when it has held them for long enough.
    let seconds = ORDER_HOLD.num_seconds();
    let held = [at(seconds - 1), at(seconds)]
        .map(|now| queue.take_fresh(queue.held(now), &HashSet::new()).map(|(event, _)| event.place));
    assert_eq!(held, [None, Some((0, 2))]);
}

#[test]
fn a_receiver_that_is_down_gets_probes_only_and_loses_no_attempts() {
    let mut queue = queue((1..=20).map(|position| event(position, u128::try_from(position).unwrap())).collect());
    let unreachable = AttemptOutcome::Unprocessed { retry_after: None };
    let begun: Vec<Event> = std::iter::from_fn(|| queue.begin_next(at(0))).collect();
    assert_eq!(begun.len(), MAX_WINDOW);
    for event in &begun {
        queue.settle(event.delivery_id, unreachable, at(0), 0.5);
    }
    assert!(queue.down.is_some());
    // The first failure alone was recorded, before the receiver was known to be down.
    assert_eq!((queue.waiting.len(), cursor(&queue)), (1, 1));
    assert_eq!(queue.next_due_at(at(0)), Some(at(5)));
    assert_eq!(queue.begin_next(at(4)), None);
    let mut probed = HashSet::new();
    for seconds in [5, 15, 45, 105, 225, 525, 825] {
        let probe = queue.begin_next(at(seconds)).unwrap();
        assert!(probed.insert(probe.place), "the receiver may fail for this one alone");
        assert_eq!(queue.begin_next(at(seconds)), None, "{seconds}");
        assert_eq!(queue.settle(probe.delivery_id, unreachable, at(seconds), 0.5), Some(Settled::PutBack));
    }
    let probe = queue.begin_next(at(1_200)).unwrap();
    queue.settle(probe.delivery_id, AttemptOutcome::Delivered, at(1_200), 0.5);
    let mut deliver_all_that_may_begin = || {
        let begun: Vec<Event> = std::iter::from_fn(|| queue.begin_next(at(1_200))).collect();
        for event in &begun {
            queue.settle(event.delivery_id, AttemptOutcome::Delivered, at(1_200), 0.5);
        }
        begun.len()
    };
    assert_eq!([(); 4].map(|()| deliver_all_that_may_begin()), [1, 2, 8, 8]);
    assert_eq!(cursor(&queue), 20);
}

/// Of a stream that has no others, so that nothing but the receiver's answers decides.
#[test]
fn an_event_that_a_receiver_never_processes_does_not_stop_the_others() {
    let mut queue = queue((1..=30).map(|position| event(position, u128::try_from(position).unwrap())).collect());
    let mut delivered = HashSet::new();
    for second in 0..3_600 {
        while let Some(event) = queue.begin_next(at(second)) {
            let is_poison = event.place.1 == 3;
            let outcome =
                if is_poison { AttemptOutcome::Unprocessed { retry_after: None } } else { AttemptOutcome::Delivered };
            queue.settle(event.delivery_id, outcome, at(second), 0.5);
            if !is_poison {
                delivered.insert(event.place.1);
            }
        }
    }
    assert_eq!(delivered.len(), 29);
    assert_eq!(cursor(&queue), 30);
}

#[test]
fn when_all_that_waited_for_a_receiver_is_lost_it_reads_on() {
    let mut queue = queue(vec![event(1, 1), event(2, 2)]);
    for _ in 0..2 {
        let event = queue.begin_next(at(0)).unwrap();
        queue.settle(event.delivery_id, AttemptOutcome::Unprocessed { retry_after: None }, at(0), 0.5);
    }
    assert!(queue.down.is_some());
    while let Some(event) = queue.begin_next(at(100)) {
        queue.settle(event.delivery_id, AttemptOutcome::Lost, at(100), 0.5);
    }
    assert!(queue.room() > 0);
    assert_eq!(cursor(&queue), 2);
}

#[test]
fn what_was_settled_before_is_not_sent_again() {
    let events: Vec<Event> = (1..=3).map(|position| event(position, 1)).collect();
    let mut queue = Queue::new(WebhookKind::Events, [(0, 0)], HashSet::from([events[1].delivery_id]));
    let settled = queue.extend(events.clone(), [(0, 3)]);
    assert_eq!(settled, events[1..2]);
    let mut sent = Vec::new();
    while let Some(event) = queue.begin_next(at(0)) {
        queue.settle(event.delivery_id, AttemptOutcome::Delivered, at(0), 0.5);
        sent.push(event.place.1);
    }
    assert_eq!((sent, cursor(&queue)), (vec![1, 3], 3));
}

/// Five events of one stream and five of others arrive each minute, and the receiver is away for an hour.
#[test]
fn an_outage_of_an_hour_loses_nothing_and_keeps_the_order() {
    let mut queue = queue(Vec::new());
    let mut delivered: Vec<i64> = Vec::new();
    let mut read_to = 0;
    for second in 0..2 * 3_600 {
        if second % 60 == 0 && queue.room() >= 10 {
            let arrived = 10 * (second / 60 + 1);
            let last = arrived.min(read_to + i64::try_from(queue.room()).unwrap());
            let stream = |position: i64| if position % 2 == 0 { 0 } else { u128::try_from(position).unwrap() };
            let events = (read_to + 1..=last).map(|position| event(position, stream(position))).collect();
            assert_eq!(queue.extend(events, [(0, last)]), []);
            read_to = last;
        }
        while let Some(event) = queue.begin_next(at(second)) {
            let is_away = (600..4_200).contains(&second);
            let outcome =
                if is_away { AttemptOutcome::Unprocessed { retry_after: None } } else { AttemptOutcome::Delivered };
            queue.settle(event.delivery_id, outcome, at(second), 0.5);
            if !is_away {
                delivered.push(event.place.1);
            }
        }
    }
    let of_stream: Vec<i64> = delivered.iter().copied().filter(|position| position % 2 == 0).collect();
    assert!(of_stream.is_sorted(), "{of_stream:?}");
    delivered.sort_unstable();
    assert_eq!(delivered, (1..=1_200).collect::<Vec<_>>());
    assert_eq!(cursor(&queue), 1_200);
}

proptest! {
    /// Whatever a receiver answers: the cursor never goes back, all events up to it are recorded, and in the end each
    /// event is delivered or dead.
    #[test]
    fn every_event_is_settled(
        streams in prop::collection::vec(0_u128..4, 1..40),
        answers in prop::collection::vec(0..6_u8, 0..200),
    ) {
        let events: Vec<Event> = (1..).zip(&streams).map(|(position, stream)| event(position, *stream)).collect();
        let total = events.len();
        let mut queue = queue(events);
        let mut answers = answers.into_iter();
        let mut recorded: HashMap<i64, DeliveryState> = HashMap::new();
        let mut delivered: HashMap<Option<Uuid>, Vec<(i64, bool)>> = HashMap::new();
        let (mut now, mut last_cursor) = (0, 0);
        for _ in 0..20_000 {
            let mut begun: Vec<Event> = std::iter::from_fn(|| queue.begin_next(at(now))).collect();
            prop_assert!(begun.len() <= MAX_WINDOW);
            let begun_streams: HashSet<_> = begun.iter().map(|event| event.stream_id).collect();
            prop_assert_eq!(begun_streams.len(), begun.len(), "one of a stream at a time");
            begun.reverse();
            for event in begun {
                let outcome = match answers.next() {
                    Some(0) => AttemptOutcome::Rejected { retry_after: None },
                    Some(1) => AttemptOutcome::Unprocessed { retry_after: Some(TimeDelta::seconds(7)) },
                    Some(2) => AttemptOutcome::Lost,
                    _ => AttemptOutcome::Delivered,
                };
                if let Some(Settled::Recorded { state, attempts, .. }) = queue.settle(event.delivery_id, outcome, at(now), 0.3) {
                    recorded.insert(event.place.1, state);
                    if state == DeliveryState::Delivered {
                        delivered.entry(event.stream_id).or_default().push((event.place.1, attempts > 1));
                    }
                }
            }
            let cursor = cursor(&queue);
            prop_assert!(cursor >= last_cursor);
            prop_assert!((1..=cursor).all(|position| recorded.contains_key(&position)));
            last_cursor = cursor;
            if recorded.len() == total && recorded.values().all(|state| *state != DeliveryState::Waiting) {
                break;
            }
            now += 30;
        }
        prop_assert_eq!(recorded.len(), total);
        prop_assert!(recorded.values().all(|state| *state != DeliveryState::Waiting));
        // Events that were delivered at their first attempt are in order.
        for positions in delivered.values() {
            let first: Vec<i64> = positions.iter().filter(|(_, again)| !again).map(|(position, _)| *position).collect();
            prop_assert!(first.is_sorted(), "{first:?}");
        }
    }
}
