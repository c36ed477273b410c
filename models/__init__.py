"""Values and rules of the referral programme: no I/O, no clock, no environment."""
