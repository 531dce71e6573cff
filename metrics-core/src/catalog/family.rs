//! A family: what all its series share, and the arithmetic from label indices to cells.
//!
//! The series of a family lie next to each other, the last label running fastest; the families of one kind follow each
//! other in the order of their table:
//!
//! ```text
//!   GetResults{hit} {tombstone} {miss} | UserWrittenBytes | CacheRequests{0,data,hit} {0,data,miss} {0,index,hit} …
//!   ^ base of GetResults                 ^ base             ^ base            at3(0, 0, 1) = base + 1
//! ```

/// How values of a family behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows while the database is open.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution of observations.
    Histogram,
}

impl Kind {
    /// The Prometheus type name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The unit a family is exported in, and the raw unit it is recorded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Seconds, recorded in seconds (gauges).
    Seconds,
    /// Seconds, recorded in nanoseconds (counters and histograms).
    Nanoseconds,
    /// A dimensionless number.
    Ratio,
    /// A dimensionless number, recorded in thousandths (histograms).
    Thousandths,
}

impl Unit {
    /// The name of the exported unit; empty for counts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes_per_second",
            Self::Seconds | Self::Nanoseconds => "seconds",
            Self::Ratio | Self::Thousandths => "ratio",
        }
    }

    /// How many raw units make one exported unit: exported value = raw value / this.
    pub const fn raw_per_unit(self) -> u64 {
        match self {
            Self::Nanoseconds => 1_000_000_000,
            Self::Thousandths => 1_000,
            _ => 1,
        }
    }
}

/// Where a family's cells live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// In every thread's shard: recorded on hot paths, summed by a snapshot.
    Shard,
    /// Once per database, written with locked instructions: recorded by background and rare paths.
    Shared,
}

/// One label of a family and the values it can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The label's name.
    pub name: &'static str,
    /// Its values in index order; never empty.
    pub values: &'static [&'static str],
}

/// What all series of a family share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desc {
    /// The family's name, prefix included.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// One sentence without a full stop: what is counted, per what.
    pub help: &'static str,
    /// At most four labels.
    pub labels: &'static [Label],
    /// Where its cells live.
    pub home: Home,
}

/// The most labels a family has.
pub(crate) const MAX_LABELS: usize = 4;

impl Desc {
    /// Number of series: the product of the label set sizes.
    pub const fn series(&self) -> usize {
        let mut labels = self.labels;
        let mut product = 1;
        while let [label, others @ ..] = labels {
            product *= label.values.len();
            labels = others;
        }
        product
    }

    /// The labels of the family's `series`-th series (counted from 0).
    pub fn labels_of(&self, series: usize) -> Labels<'static> {
        let mut labels = Labels { pairs: [("", ""); MAX_LABELS], len: self.labels.len().min(MAX_LABELS) };
        let mut rest = series;
        for (pair, label) in labels.pairs.iter_mut().zip(self.labels).take(labels.len).rev() {
            let values = label.values.len().max(1);
            *pair = (label.name, label.values.get(rest % values).copied().unwrap_or_default());
            rest /= values;
        }
        labels
    }

    /// The position within the family of the series with these label indices. A missing index counts as 0, one past
    /// the end as the last: a wrong index is a series, never a panic.
    #[inline]
    pub(super) const fn position(&self, at: [usize; MAX_LABELS]) -> usize {
        let mut labels = self.labels;
        let mut indices = at.as_slice();
        let mut position = 0;
        while let ([label, other_labels @ ..], [wanted, other_indices @ ..]) = (labels, indices) {
            let last = label.values.len().saturating_sub(1);
            position = position * label.values.len() + if *wanted < last { *wanted } else { last };
            labels = other_labels;
            indices = other_indices;
        }
        position
    }
}

/// The labels of one series, as name and value, in catalogue order. At most four, without allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels<'a> {
    pairs: [(&'a str, &'a str); MAX_LABELS],
    len: usize,
}

impl<'a> Labels<'a> {
    /// Name and value of each label.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.pairs.iter().take(self.len).copied()
    }

    /// Whether the series has no label.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of the label called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The same labels with the value of `name` replaced.
    pub(crate) fn with(mut self, name: &str, value: &'a str) -> Self {
        for pair in self.pairs.iter_mut().take(self.len).filter(|pair| pair.0 == name) {
            pair.1 = value;
        }
        self
    }
}

/// Declares one kind's enum, its cell type and its table from rows of
/// `Variant Group "name" Unit home [label values, …] "help";`.
macro_rules! families {
    (
        $(#[$kind_doc:meta])* enum $kind:ident;
        $(#[$cell_doc:meta])* struct $cell:ident;
        $($variant:ident $group:ident $name:literal $unit:ident $home:ident [$($label:ident $values:ident),*] $help:literal;)+
    ) => {
        $(#[$kind_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum $kind {
            $(#[doc = concat!("`", $name, "`: ", $help, ".")] $variant,)+
        }

        $(#[$cell_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $cell(usize);

        impl $kind {
            /// Every family of this kind, in table order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Number of series of all families of this kind.
            pub(crate) const CELLS: usize = match Self::ALL {
                [.., last] => Self::cells_before(*last) + last.desc().series(),
                [] => 0,
            };

            /// Number of series of the families before `end`.
            const fn cells_before(end: Self) -> usize {
                let mut families = Self::ALL;
                let mut cells = 0;
                while let [family, others @ ..] = families {
                    if *family as u16 == end as u16 {
                        break;
                    }
                    cells += family.desc().series();
                    families = others;
                }
                cells
            }

            /// What all series of the family share.
            #[inline]
            pub const fn desc(self) -> &'static Desc {
                match self {
                    $(Self::$variant => const {
                        &Desc {
                            name: $name,
                            unit: Unit::$unit,
                            help: $help,
                            labels: &[$(Label { name: stringify!($label), values: labels::$values }),*],
                            home: Home::$home,
                        }
                    },)+
                }
            }

            /// The chapter of the catalogue that the family belongs to.
            pub const fn group(self) -> Group {
                match self {
                    $(Self::$variant => Group::$group,)+
                }
            }

            /// The series whose first label has index `i`, and further labels index 0.
            #[inline]
            pub const fn at(self, i: usize) -> $cell {
                self.at3(i, 0, 0)
            }

            /// The series whose labels have indices `i` and `j`.
            #[inline]
            pub const fn at2(self, i: usize, j: usize) -> $cell {
                self.at3(i, j, 0)
            }

            /// The series whose labels have indices `i`, `j` and `k`. An index past the end means the last value;
            /// indices of labels the family does not have are ignored.
            #[inline]
            pub const fn at3(self, i: usize, j: usize, k: usize) -> $cell {
                $cell(self.base() + self.desc().position([i, j, k, 0]))
            }

            /// The cells of all series of the family, in the order of [`Desc::labels_of`].
            pub fn cells(self) -> impl Iterator<Item = $cell> {
                let base = self.base();
                (base..base + self.desc().series()).map($cell)
            }

            /// The cell of the family's `series`-th series; of the last one if there are fewer.
            pub(crate) fn series(self, series: usize) -> $cell {
                $cell(self.base() + series.min(self.desc().series() - 1))
            }

            /// The family's first cell.
            #[inline]
            const fn base(self) -> usize {
                match self {
                    $(Self::$variant => const { Self::cells_before(Self::$variant) },)+
                }
            }
        }

        impl $cell {
            /// Position in the flat array of all series of this kind.
            #[inline]
            pub(crate) const fn position(self) -> usize {
                self.0
            }
        }

        impl From<$kind> for $cell {
            #[inline]
            fn from(family: $kind) -> Self {
                family.at(0)
            }
        }
    };
}
pub(super) use families;
