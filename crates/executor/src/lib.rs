//! Performs what an order owes: provider calls and host notices, with retries, budget and breakers
