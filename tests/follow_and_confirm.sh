# An organisation, a code, a click and a signed webhook, by curl and openssl alone; the README shows these lines. WEB is
# the HTTP side's address.
uuid() { python3 -c 'import uuid; print(uuid.uuid4())'; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

MADE=$(./referrals orgs create Alder --landing-url https://example.org/join --json)
ORG=$(echo "$MADE" | field org_id) SECRET=$(echo "$MADE" | field webhook_secret) MENTOR=$(uuid)
TOKEN=$(./referrals token --org "$ORG" --role coordinator --subject "$(uuid)")
CODE=$(curl -s -X POST -H "Authorization: Bearer $TOKEN" "$WEB/v1/orgs/$ORG/mentors/$MENTOR/referral-code" | field referralCode)

curl -si "$WEB/r/$CODE?c=whatsapp"  # somebody follows the link, and becomes a member:

BODY='{"referral_code": "'$CODE'", "new_member_id": "'$(uuid)'", "status": "confirmed"}'
ID=msg_$(uuid) NOW=$(date +%s)
KEY=$(printf %s "${SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
SIGNATURE=$(printf %s "$ID.$NOW.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
curl -si "$WEB/v1/orgs/$ORG/registrations" -d "$BODY" \
  -H "webhook-id: $ID" -H "webhook-timestamp: $NOW" -H "webhook-signature: v1,$SIGNATURE"

curl -s -H "Authorization: Bearer $TOKEN" "$WEB/v1/orgs/$ORG/mentors/$MENTOR/attribution-counts"
