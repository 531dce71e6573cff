//! The way from the root of the tree to an entry, for a walk that goes on from there instead of from the root.
//!
//! Branches are never changed for those who came to them before, but for children that are added, or that get company: so a way leads
//! past all entries that were there when it was gone, and perhaps past younger ones.

use super::tree::{Entry, Place, Side, Tree};

/// The branches above an entry, each with what comes next in it.
#[derive(Debug)]
pub(super) struct Path {
    /// Whether it leads past all there is: then what comes next is fetched ahead.
    is_whole: bool,
    /// Links to the branches, and in each the byte from which on its children lie behind the entry.
    branches: Vec<(u32, u16)>,
}

impl Path {
    /// The way to the first entry.
    pub(super) fn first(tree: &Tree) -> (Path, Option<Entry<'_>>) {
        let mut path = Path { is_whole: true, branches: Vec::with_capacity(16) };
        let first = path.descend(tree, tree.root());
        (path, first)
    }

    /// The way to the newest version of the first key at or behind `user`.
    pub(super) fn seek<'a>(tree: &'a Tree, user: &[u8]) -> (Path, Option<Entry<'a>>) {
        let mut path = Path { is_whole: false, branches: Vec::with_capacity(16) };
        let found = path.search(tree, user);
        (path, found)
    }

    fn search<'a>(&mut self, tree: &'a Tree, user: &[u8]) -> Option<Entry<'a>> {
        let (mut link, mut from) = (tree.root(), 0);
        loop {
            match tree.place(link) {
                Place::Entry(entry) if entry.key().user >= user => return Some(entry),
                Place::Nothing | Place::Entry(_) => return self.next(tree),
                Place::Branch(branch) => {
                    match tree.side(branch, user, from) {
                        Side::Before => return self.next(tree),
                        Side::Behind => return self.descend(tree, link),
                        Side::Around => {}
                    }
                    // A key that ends here is the first of the branch.
                    let Some(byte) = user.get(branch.depth()) else { return self.descend(tree, link) };
                    self.branches.push((link, u16::from(*byte) + 1));
                    link = branch.child(*byte).map_or(0, Tree::follow);
                    from = branch.depth() + 1;
                }
            }
        }
    }

    /// The newest version of the next key.
    pub(super) fn next<'a>(&mut self, tree: &'a Tree) -> Option<Entry<'a>> {
        while let Some((link, from)) = self.branches.last_mut() {
            let Place::Branch(branch) = tree.place(*link) else { return None };
            if let Some((byte, slot)) = u8::try_from(*from).ok().and_then(|from| branch.child_from(from)) {
                *from = u16::from(byte) + 1;
                return self.descend(tree, Tree::follow(slot));
            }
            self.branches.pop();
        }
        None
    }

    /// The newest version of the first key below a link.
    fn descend<'a>(&mut self, tree: &'a Tree, mut link: u32) -> Option<Entry<'a>> {
        loop {
            match tree.place(link) {
                Place::Nothing => return None,
                Place::Entry(entry) => return Some(entry),
                Place::Branch(branch) => {
                    let end = Tree::follow(branch.end());
                    let (behind, first) = match branch.child_from(0) {
                        _ if end != 0 => (0, end),
                        Some((byte, slot)) => (u16::from(byte) + 1, Tree::follow(slot)),
                        None => return None,
                    };
                    if self.is_whole {
                        tree.prefetch_children(branch);
                    }
                    self.branches.push((link, behind));
                    link = first;
                }
            }
        }
    }
}
