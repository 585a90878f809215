//! The pure core: what an order is, what may happen to it, and what it owes next
