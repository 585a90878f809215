//! A client for UQPAY's card issuing API; knows nothing of orders
