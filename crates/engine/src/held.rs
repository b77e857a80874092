//! What policies leave with a request for its end: guards that are dropped with it, questions about how it went, and
//! copies of the answer's body as it streams past. A request that nobody left anything with pays for nothing.

use std::{any::Any, fmt};

use bytes::{Bytes, BytesMut};

use crate::{Exchange, journal::Measures};

type AtEnd = Box<dyn FnOnce(&Exchange, &Measures)>;

/// What policies left with a request.
#[derive(Default)]
pub struct Held {
    guards: Vec<Box<dyn Any>>,
    at_end: Vec<AtEnd>,
    copies: Vec<BodyCopy>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (guards, at_end, copies) = (self.guards.len(), self.at_end.len(), self.copies.len());
        write!(f, "Held({guards} guards, {at_end} at the end, {copies} copies)")
    }
}

/// A body that is copied while it goes to the client.
struct BodyCopy {
    most: usize,
    bytes: BytesMut,
    then: Box<dyn FnOnce(Bytes)>,
}

impl Exchange {
    /// Keeps something for as long as the request lasts, however it ends; it is dropped with the exchange.
    pub fn hold(&mut self, guard: impl Any) {
        self.held_mut().guards.push(Box::new(guard));
    }

    /// Takes back what was kept, the last of this type for which `wanted` is true.
    pub fn take_held<T: Any>(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        // Looked at before anything is made: most requests have nothing here.
        self.extras()?;
        let guards = &mut self.held_mut().guards;
        let place = guards.iter().rposition(|guard| guard.downcast_ref::<T>().is_some_and(&wanted))?;
        guards.remove(place).downcast().ok().map(|guard| *guard)
    }

    /// Calls back once the last byte of the answer is on its way, or the request has failed.
    pub fn when_ended(&mut self, then: impl FnOnce(&Self, &Measures) + 'static) {
        self.held_mut().at_end.push(Box::new(then));
    }

    /// The request has ended.
    pub fn ended(&mut self, measures: &Measures) {
        if self.extras().is_none() {
            return;
        }
        for then in std::mem::take(&mut self.held_mut().at_end) {
            then(self, measures);
        }
    }

    /// Copies the answer's body while it streams to the client, and calls back with the whole of it. A body of more
    /// than `most` bytes, and one that breaks off, is forgotten. Not for answers whose body is there already.
    pub fn copy_response_body(&mut self, most: usize, then: impl FnOnce(Bytes) + 'static) {
        self.held_mut().copies.push(BodyCopy { most, bytes: BytesMut::new(), then: Box::new(then) });
    }

    /// The body that goes out is not the one that was to be copied.
    pub fn forget_copies(&mut self) {
        if self.extras().is_some() {
            self.held_mut().copies.clear();
        }
    }

    /// A piece of the answer's body is on its way.
    pub fn body_passed(&mut self, piece: &[u8]) {
        if self.extras().is_none() {
            return;
        }
        self.held_mut().copies.retain_mut(|copy| {
            let fits = copy.bytes.len() + piece.len() <= copy.most;
            if fits {
                copy.bytes.extend_from_slice(piece);
            }
            fits
        });
    }

    /// The answer's body came to its end.
    pub fn body_ended(&mut self) {
        if self.extras().is_none() {
            return;
        }
        for copy in std::mem::take(&mut self.held_mut().copies) {
            (copy.then)(copy.bytes.freeze());
        }
    }

    fn held_mut(&mut self) -> &mut Held {
        &mut self.extras_mut().held
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use crate::language::testing::exchange;

    use super::*;

    #[test]
    fn what_is_held_goes_with_the_request() {
        let kept = Rc::new(());
        let mut exchange = exchange();
        exchange.hold(Rc::clone(&kept));
        exchange.hold(7_u8);
        assert_eq!(exchange.take_held(|_: &u16| true), None);
        assert_eq!(exchange.take_held(|number: &u8| *number == 8), None);
        assert_eq!(exchange.take_held(|number: &u8| *number == 7), Some(7));
        assert_eq!(Rc::strong_count(&kept), 2);
        drop(exchange);
        assert_eq!(Rc::strong_count(&kept), 1);
    }

    #[test]
    fn the_end_is_told_once() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let mut exchange = exchange();
        let list = Rc::clone(&told);
        exchange.when_ended(move |_, measures| list.borrow_mut().push(measures.response_bytes));
        let measures = Measures { response_bytes: 5, ..Measures::default() };
        exchange.ended(&measures);
        exchange.ended(&measures);
        assert_eq!(*told.borrow(), [5]);
    }

    #[test]
    fn bodies_are_copied_up_to_their_limit() {
        let copied = Rc::new(RefCell::new(Vec::new()));
        let mut exchange = exchange();
        for most in [3, 4] {
            let list = Rc::clone(&copied);
            exchange.copy_response_body(most, move |bytes| list.borrow_mut().push((most, bytes)));
        }
        exchange.body_passed(b"ab");
        exchange.body_passed(b"cd");
        assert!(copied.borrow().is_empty(), "not before the end");
        exchange.body_ended();
        exchange.body_ended();
        assert_eq!(*copied.borrow(), [(4, Bytes::from_static(b"abcd"))]);
        exchange.copy_response_body(9, |_| panic!("it was forgotten"));
        exchange.forget_copies();
        exchange.body_ended();
    }
}
