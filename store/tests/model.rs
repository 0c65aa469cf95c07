//! Random operations against a model that is a plain map for each revision.

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::{
    Change, Compare, EmbeddedStore, Event, Keys, Op, OpResult, Options, Range, ReadError, Revision,
    Store, Txn, Watch, WatchError,
};

/// Key to (value, created, modified, version).
type Map = BTreeMap<String, (u8, u64, u64, u64)>;

#[derive(Clone, Debug)]
enum Step {
    Txn {
        compare: Vec<(u8, u8)>,
        then: BTreeMap<u8, Option<u8>>,
        otherwise: BTreeMap<u8, Option<u8>>,
    },
    ReadBack(u64),
    WatchBack(u64),
    CompactBack(u64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let branch =
        || proptest::collection::btree_map(0..6u8, proptest::option::of(any::<u8>()), 0..4);
    let compare = proptest::collection::vec((0..6u8, 0..4u8), 0..2);
    let txn = (compare, branch(), branch()).prop_map(|(compare, then, otherwise)| Step::Txn {
        compare,
        then,
        otherwise,
    });
    let step = prop_oneof![
        12 => txn,
        3 => (0..20u64).prop_map(Step::ReadBack),
        2 => (0..20u64).prop_map(Step::WatchBack),
        1 => (0..10u64).prop_map(Step::CompactBack),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Every revision there was, from 0 on.
struct Model {
    maps: Vec<Map>,
    compacted: u64,
}

fn key(number: u8) -> String {
    format!("k{number}")
}

impl Model {
    fn head(&self) -> u64 {
        self.maps.len() as u64 - 1
    }

    fn now(&self) -> &Map {
        self.maps.last().expect("there is revision 0")
    }

    /// The comparison numbered `kind`: sometimes true, sometimes not.
    fn compare(&self, key_number: u8, kind: u8) -> (Compare, bool) {
        let key = key(key_number);
        let found = self.now().get(&key);
        match kind {
            0 => (Compare::exists(key.clone()), found.is_some()),
            1 => (Compare::absent(key.clone()), found.is_none()),
            2 => {
                let half = self.head() / 2;
                let holds = found.map_or(0, |item| item.2) == half;
                (Compare::unchanged(key.clone(), Revision(half)), holds)
            }
            _ => {
                let holds = found.is_some_and(|item| item.0 < 128);
                let is = store::Is::Less;
                let field = store::Field::Value(vec![128].into());
                let key = key.clone().into();
                (Compare { key, is, field }, holds)
            }
        }
    }

    /// Does a branch; answers its results.
    fn apply(&mut self, branch: &BTreeMap<u8, Option<u8>>) -> Vec<OpResult> {
        let mut map = self.now().clone();
        let revision = self.maps.len() as u64;
        let mut changed = false;
        let mut results = Vec::new();
        for (number, value) in branch {
            match value {
                Some(value) => {
                    let item = map.entry(key(*number)).or_insert((0, revision, 0, 0));
                    *item = (*value, item.1, revision, item.3 + 1);
                    changed = true;
                    results.push(OpResult::Put);
                }
                None => {
                    let existed = map.remove(&key(*number)).is_some();
                    changed |= existed;
                    results.push(OpResult::Delete { existed });
                }
            }
        }
        if changed {
            self.maps.push(map);
        }
        results
    }

    /// What a watch has to tell of one revision.
    fn change(&self, revision: u64) -> Vec<(String, Option<u8>)> {
        let at = |revision: u64| &self.maps[usize::try_from(revision).expect("it is small")];
        let (before, after) = (at(revision - 1), at(revision));
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        let put = after.iter().filter(|(_, item)| item.2 == revision);
        let mut events: Vec<_> = put.map(|(key, item)| (key.clone(), Some(item.0))).collect();
        events.extend(gone.map(|key| (key.clone(), None)));
        events.sort();
        events
    }
}

fn ops(branch: &BTreeMap<u8, Option<u8>>) -> Vec<Op> {
    let op = |(number, value): (&u8, &Option<u8>)| match value {
        Some(value) => Op::put(key(*number), vec![*value]),
        None => Op::delete(key(*number)),
    };
    branch.iter().map(op).collect()
}

fn told(change: &Change) -> Vec<(String, Option<u8>)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let event = |event: &Event| match event {
        Event::Put(item) => (text(&item.key), Some(item.value[0])),
        Event::Delete { key } => (text(key), None),
    };
    let mut events: Vec<_> = change.events.iter().map(event).collect();
    events.sort();
    events
}

async fn check_range(store: &EmbeddedStore, model: &Model, at: u64) {
    let answer = store.range(Range::prefix("").at(Revision(at))).await;
    if at < model.compacted {
        let (wanted, at) = (Revision(at), Revision(model.compacted));
        assert_eq!(answer, Err(ReadError::Compacted { wanted, at }));
        return;
    }
    let items = answer.expect("it is kept").items;
    let found: Map = items
        .iter()
        .map(|item| {
            let key = String::from_utf8_lossy(&item.key).into_owned();
            let (created, modified) = (item.created.0, item.modified.0);
            (key, (item.value[0], created, modified, item.version))
        })
        .collect();
    assert_eq!(
        &found,
        &model.maps[usize::try_from(at).expect("it is small")]
    );
}

async fn check_watch(store: &EmbeddedStore, model: &Model, from: u64) {
    let from = from.max(1);
    let watch = store.watch(Keys::prefix(""), Revision(from)).await;
    if from <= model.compacted {
        let (wanted, at) = (Revision(from), Revision(model.compacted));
        assert_eq!(watch.err(), Some(WatchError::Compacted { wanted, at }));
        return;
    }
    let mut watch = watch.expect("it is kept");
    for revision in from..=model.head() {
        let change = watch.next().await.expect("it is kept");
        assert_eq!(change.revision.0, revision);
        assert_eq!(told(&change), model.change(revision));
    }
}

async fn play(steps: Vec<Step>) {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || EmbeddedStore::open(directory.path(), Options::default()).expect("it opens");
    let mut store = open();
    let mut model = Model {
        maps: vec![Map::new()],
        compacted: 0,
    };
    for step in steps {
        match step {
            Step::Txn {
                compare,
                then,
                otherwise,
            } => {
                let compared: Vec<_> = compare
                    .iter()
                    .map(|(k, kind)| model.compare(*k, *kind))
                    .collect();
                let holds = compared.iter().all(|(_, holds)| *holds);
                let txn = Txn {
                    compare: compared.into_iter().map(|(compare, _)| compare).collect(),
                    then: ops(&then),
                    otherwise: ops(&otherwise),
                };
                let results = model.apply(if holds { &then } else { &otherwise });
                let done = store.commit(txn).await.expect("it is taken");
                assert_eq!(done.succeeded, holds);
                assert_eq!(done.results, results);
                assert_eq!(done.revision.0, model.head());
            }
            Step::ReadBack(back) => {
                check_range(&store, &model, model.head().saturating_sub(back)).await;
            }
            Step::WatchBack(back) => {
                check_watch(&store, &model, model.head().saturating_sub(back)).await;
            }
            Step::CompactBack(back) => {
                let at = model.head().saturating_sub(back);
                model.compacted = model.compacted.max(at);
                let done = store.compact(Revision(at)).await.expect("it is compacted");
                assert_eq!(done.0, model.compacted);
            }
            Step::Reopen => {
                drop(store);
                store = open();
            }
        }
    }
    check_range(&store, &model, model.head()).await;
    check_watch(&store, &model, model.compacted + 1).await;
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_does_what_a_map_for_each_revision_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(play(steps));
    }
}
