use super::*;

struct Cell {
    tag: Tag,
    count: AtomicU64,
}

impl Lent for Cell {
    fn new(pool: PoolId) -> Self {
        Self { tag: Tag::new(pool), count: AtomicU64::new(0) }
    }
    fn tag(&self) -> &Tag {
        &self.tag
    }
}

fn list() -> List<Cell> {
    List::new(PoolId::next())
}

#[test]
fn what_is_returned_is_lent_again_with_its_values() {
    let list = list();
    let cell = list.lease();
    cell.count.store(7, Ordering::Relaxed);
    cell.tag.give_back();
    let again = list.lease();
    assert!(Arc::ptr_eq(&cell, &again));
    assert_eq!(again.count.load(Ordering::Relaxed), 7);
}

#[test]
fn a_thing_has_one_holder_at_a_time() {
    let list = list();
    let (first, second) = (list.lease(), list.lease());
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(list.iter().filter(|cell| cell.tag.is_leased()).count(), 2);
}

#[test]
fn threads_leasing_at_once_get_different_things() {
    let list = list();
    let barrier = std::sync::Barrier::new(8);
    let cells: Vec<_> = std::thread::scope(|scope| {
        let lease = || {
            barrier.wait();
            list.lease()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(lease)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (i, cell) in cells.iter().enumerate() {
        assert!(cells.iter().skip(i + 1).all(|other| !Arc::ptr_eq(cell, other)));
    }
    assert_eq!(list.iter().count(), 8);
}

#[test]
fn who_is_called_obeys_once() {
    let list = list();
    let cell = list.lease();
    assert!(!cell.tag.obey(list.pool));
    list.look_again();
    assert_eq!((cell.tag.obey(list.pool), cell.tag.obey(list.pool)), (true, false));
}

#[test]
fn a_long_list_is_dropped_without_recursion() {
    let list = list();
    let mut link = &list.head;
    let thing = Arc::new(Cell::new(list.pool));
    for _ in 0..200_000 {
        link = &link.get_or_init(|| Box::new(Node { thing: Arc::clone(&thing), next: OnceLock::new() })).next;
    }
    drop(list);
}
