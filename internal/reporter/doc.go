// Package reporter is the third tier: it folds the ledger into contribution rows
// and publishes them.
//
// It knows credits, contribution rows, when a contract calls them final and whom it
// lets see them. It must not know how credit is decided, nor who asks for rows:
// nothing of journeys and models is judged here, and no number is made that is not
// a sum of ledger numbers.
package reporter
