package attribution

// AlertOverlapSuspected is the kind of the alert about two deals of one account in
// different CRMs that may be the same business. Its subject is the deal of the system
// of record and its evidence both deals, that one first, each as
// reporter/source/opportunity/id.
const AlertOverlapSuspected = "overlap_suspected"
