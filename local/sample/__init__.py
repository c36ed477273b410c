"""Sample traffic: a believable referral programme, bad input to go with it, and the pace at which both are sent."""
