//! What compiling the next snapshot asks of the APIs of this one first: whether anything of what they are made from has
//! changed. It is not in the APIs, since walking through thousands of them would meet memory that no cache holds.

use std::{cell::OnceCell, collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use model::{
    ApiDefinition, ApiDoc, Parts,
    parts::{PART, Part},
};

use super::{Input, api::Shared};
use crate::{
    Snapshot,
    journal::ApiNames,
    snapshot::{Binding, CompiledApi},
};

/// What is asked of an API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// Address of the document that it was compiled from, which the API holds on to.
    pub(super) doc: usize,
    pub(super) definition: Option<u64>,
    /// Of everything that some API is made from.
    pub(super) shared: u64,
    /// Which of the first 64 global policies apply to it.
    pub(super) globals: u64,
    /// There was nothing to say about it.
    pub(super) quiet: bool,
    /// Its policies name upstreams, or have something to do as time passes.
    pub(super) has_more: bool,
}

/// What is asked of APIs that are in one part of the configuration: whoever finds the part as it was takes them over without
/// a look at each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    shared: u64,
    pub globals: u64,
    /// Positions of upstreams: of the next one when they were asked for theirs, to after the last that is behind one of them.
    pub upstreams: (usize, usize),
}

impl Whole {
    /// `None` where something of one of them has to be looked at each time.
    fn of<'m>(
        marks: impl Iterator<Item = (&'m Mark, &'m Binding)>,
        shared: Shared,
        next_upstream: usize,
    ) -> Option<Self> {
        let mut whole = Self { shared: shared.all, globals: 0, upstreams: (next_upstream, 0) };
        for (mark, binding) in marks {
            if !mark.quiet || mark.has_more || mark.shared != shared.all {
                return None;
            }
            whole.globals |= mark.globals;
            let last =
                [Some(binding.upstream?), binding.canary, binding.mirror].into_iter().flatten().max()?;
            whole.upstreams.1 = whole.upstreams.1.max(last as usize + 1);
        }
        Some(whole)
    }
}

/// What is asked of all APIs, by their positions.
#[derive(Default)]
pub(crate) struct Marks {
    each: Parts<Mark>,
    /// By the part, where there is something to say about all of it.
    whole: Vec<Option<Whole>>,
    docs: Parts<Arc<ApiDoc>>,
    definitions: Parts<Option<Arc<ApiDefinition>>>,
}

impl Marks {
    /// For the APIs of a configuration, which are still to be marked.
    pub(super) fn of(input: &Input) -> Self {
        Self { docs: input.config.apis.clone(), definitions: input.definitions.clone(), ..Self::default() }
    }

    pub(super) fn push(&mut self, mark: Mark) {
        self.each.push(mark);
    }

    /// The next part is as it was.
    pub(super) fn push_part(&mut self, part: &Part<Mark>, whole: Whole) {
        self.each.push_part(part);
        self.whole.push(Some(whole));
    }

    /// All APIs of the next part are marked. `next_upstream` is where those began that nobody had named before.
    pub(super) fn end_part(&mut self, bindings: &Parts<Binding>, shared: Shared, next_upstream: usize) {
        let number = self.whole.len();
        let parts = self.each.parts().get(number).zip(bindings.parts().get(number));
        let whole = |(marks, bindings): (&Part<Mark>, &Part<Binding>)| {
            Whole::of(marks.iter().zip(&**bindings), shared, next_upstream)
        };
        self.whole.push(parts.and_then(whole));
    }
}

/// A part of the APIs of the snapshot before.
pub(super) struct Taken<'a> {
    pub whole: Whole,
    pub marks: &'a Part<Mark>,
    pub apis: &'a Part<Arc<CompiledApi>>,
    pub names: &'a Part<Arc<ApiNames>>,
    pub bindings: &'a Part<Binding>,
}

/// The APIs of the snapshot before, in the order in which they are asked for: nearly always the one they were in.
pub(super) struct Before<'a> {
    previous: Option<&'a Snapshot>,
    next: usize,
    by_id: OnceCell<HashMap<&'a str, usize, RandomState>>,
}

impl<'a> Before<'a> {
    pub(super) fn new(previous: Option<&'a Snapshot>) -> Self {
        Self { previous, next: 0, by_id: OnceCell::new() }
    }

    /// A part of the configuration whose APIs were compiled from these very documents and everything else as it is now.
    pub(super) fn part(&self, input: &Input, number: usize, shared: Shared) -> Option<Taken<'a>> {
        let previous = self.previous?;
        let marks = &previous.marks;
        let is_the_same = |docs: &Part<_>, before: &Part<_>| Arc::ptr_eq(docs, before);
        let whole = marks.whole.get(number).copied().flatten().filter(|whole| whole.shared == shared.all)?;
        if !is_the_same(input.config.apis.parts().get(number)?, marks.docs.parts().get(number)?) {
            return None;
        }
        let definitions = [&input.definitions, &marks.definitions].map(|list| list.parts().get(number));
        match definitions {
            [None, None] => {}
            [Some(now), Some(before)] if Arc::ptr_eq(now, before) => {}
            _ => return None,
        }
        Some(Taken {
            whole,
            marks: marks.each.parts().get(number)?,
            apis: previous.apis.parts().get(number)?,
            names: previous.catalog.apis.parts().get(number)?,
            bindings: previous.bindings.parts().get(number)?,
        })
    }

    /// A part was taken over, so that the next one is asked for what comes after it.
    pub(super) fn pass_by(&mut self, number: usize, length: usize) {
        self.next = number * PART + length;
    }

    /// The place of the API that was compiled from this very document and everything else as it is now, when there is nothing
    /// to say about it. Nobody has to read the document then.
    pub(super) fn untouched(
        &mut self,
        doc: &Arc<ApiDoc>,
        definition: Option<u64>,
        shared: Shared,
    ) -> Option<(usize, Mark)> {
        let marks = &self.previous?.marks.each;
        let address = Arc::as_ptr(doc).addr();
        // One that was changed or deleted is passed by.
        let at =
            (self.next..self.next + 2).find(|at| marks.get(*at).is_some_and(|mark| mark.doc == address))?;
        self.next = at + 1;
        let mark = marks[at];
        (mark.definition == definition && mark.shared == shared.all && mark.quiet).then_some((at, mark))
    }

    /// One by its name and version.
    pub(super) fn find(&mut self, id: &str) -> Option<&'a Arc<CompiledApi>> {
        let apis = &self.previous?.apis;
        // One that was changed is where it was, and nobody else has to be looked up by name.
        if let Some(api) = apis.get(self.next).filter(|api| *api.names.id == *id) {
            self.next += 1;
            return Some(api);
        }
        let by_id = self
            .by_id
            .get_or_init(|| apis.iter().enumerate().map(|(at, api)| (&*api.names.id, at)).collect());
        let at = *by_id.get(id)?;
        self.next = at + 1;
        Some(&apis[at])
    }
}
