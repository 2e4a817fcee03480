package attribution

// AlertOverlapSuspected is the kind of the alert about two deals of one account in
// different CRMs that may be the same business. Its subject is one of them and its
// evidence both, each as reporter/source/opportunity/id.
const AlertOverlapSuspected = "overlap_suspected"
