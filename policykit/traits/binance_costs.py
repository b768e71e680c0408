"""What each endpoint of Binance weighs, from ccxt 4.5.90; made by tests/traits/make_costs.py."""

from __future__ import annotations

from typing import Final

#: By family: what counts against one allowance. `sapi` by address, `sapi-uid` by account, each endpoint of
#: these two for itself; the others by address together. A line is a weight and its paths; `?all`: without a
#: symbol; `?<=N`: with `limit` up to N.
_TEXT: Final[dict[str, str]] = {
    "api": """
DELETE /api/v3/
1: openOrders order orderList
2: userDataStream
GET /api/v3/
1: ping time
2: aggTrades avgPrice executionRules klines referencePrice referencePrice/calculation ticker ticker/24hr
  ticker/bookTicker ticker/price uiKlines
4: order orderList ticker/bookTicker?all ticker/price?all ticker/tradingDay
5: depth depth?<=100
6: openOrderList openOrders
10: historicalTrades trades
20: account account/commission allOrderList allOrders exchangeInfo myAllocations myPreventedMatches myTrades
25: depth?<=500 historicalBlockTrades
40: executionRules?all rateLimit/order
50: depth?<=1000
80: openOrders?all ticker?all ticker/24hr?all
250: depth?<=5000
POST /api/v3/
1: order order/cancelReplace order/oco order/test orderList/oco orderList/opo orderList/opoco orderList/oto
  orderList/otoco sor/order sor/order/test
2: userDataStream
PUT /api/v3/
2: userDataStream
""",
    "dapi": """
DELETE /dapi/v1/
1: algoOpenOrders algoOrder allOpenOrders listenKey order
5: batchOrders
GET /dapi/v1/
1: algoOrder balance continuousKlines continuousKlines?<=99 exchangeInfo fundingInfo fundingRate indexPriceKlines
  indexPriceKlines?<=99 klines klines?<=99 markPriceKlines markPriceKlines?<=99 openAlgoOrders openInterest
  openOrder openOrders order orderAmendment ping positionMargin/history positionRisk premiumIndexKlines
  premiumIndexKlines?<=99 ticker/24hr ticker/price time
2: constituents continuousKlines?<=499 depth depth?<=50 indexPriceKlines?<=499 klines?<=499 leverageBracket
  leverageBracket?all markPriceKlines?<=499 premiumIndexKlines?<=499 ticker/bookTicker ticker/price?all
5: account adlQuantile allAlgoOrders allOrders continuousKlines?<=1000 depth?<=100 income/asyn income/asyn/id
  indexPriceKlines?<=1000 klines?<=1000 markPriceKlines?<=1000 openOrders?all order/asyn order/asyn/id pmAccountInfo
  pmExchangeInfo premiumIndexKlines?<=1000 ticker/bookTicker?all trade/asyn trade/asyn/id trades userTrades
10: continuousKlines?<=10000 depth?<=500 indexPriceKlines?<=10000 klines?<=10000 markPriceKlines?<=10000
  premiumIndex premiumIndexKlines?<=10000
20: aggTrades commissionRate depth?<=1000 forceOrders income
30: positionSide/dual
40: openAlgoOrders?all ticker/24hr?all
50: forceOrders?all
200: historicalTrades
GET /dapi/v2/
1: leverageBracket
2: leverageBracket?all
POST /dapi/v1/
1: algoOrder leverage listenKey marginType positionMargin positionSide/dual
4: order
5: batchOrders
10: countdownCancelAll
PUT /dapi/v1/
1: listenKey order
5: batchOrders
""",
    "dapi-data": """
GET /futures/data/
1: basis delivery-price globalLongShortAccountRatio openInterestHist takerBuySellVol topLongShortAccountRatio
  topLongShortPositionRatio
""",
    "eapi": """
DELETE /eapi/v1/
1: allOpenOrders allOpenOrdersByUnderlying batchOrders listenKey order
5: block/order/create
GET /eapi/v1/
1: bill countdownCancelAll depth exchangeInfo index klines mmp openOrders order ping time
3: account exerciseHistory historyOrders marginAccount openInterest
5: block/order/execute block/order/orders block/user-trades blockTrades comission exerciseRecord income/asyn
  income/asyn/id mark position ticker trades userTrades
20: historicalTrades
40: openOrders?all
POST /eapi/v1/
1: countdownCancelAll listenKey mmpReset mmpSet order
5: batchOrders block/order/create block/order/execute
10: countdownCancelAllHeartBeat
50: stock/contract
PUT /eapi/v1/
1: listenKey
5: block/order/create
""",
    "fapi": """
DELETE /fapi/v1/
1: algoOpenOrders algoOrder allOpenOrders batchOrders listenKey order
GET /fapi/v1/
1: algoOrder apiReferral/customization apiReferral/ifNewUser apiReferral/overview apiReferral/rebateVol
  apiReferral/tradeVol apiReferral/traderNum apiReferral/traderSummary apiReferral/userCustomization
  apiTradingStatus assetIndex continuousKlines continuousKlines?<=99 exchangeInfo feeBurn fundingInfo fundingRate
  indexInfo indexPriceKlines indexPriceKlines?<=99 insuranceBalance klines klines?<=99 leverageBracket lvtKlines
  markPriceKlines markPriceKlines?<=99 openAlgoOrders openInterest openOrder openOrders order orderAmendment ping
  positionMargin/history premiumIndex premiumIndexKlines premiumIndexKlines?<=99 rateLimit/order symbolAdlRisk
  ticker/24hr ticker/price time
2: constituents continuousKlines?<=499 depth depth?<=50 indexPriceKlines?<=499 klines?<=499 markPriceKlines?<=499
  premiumIndexKlines?<=499 ticker/bookTicker ticker/price?all
4: convert/exchangeInfo
5: account accountConfig adlQuantile allAlgoOrders allOrders balance continuousKlines?<=1000 convert/orderStatus
  depth?<=100 indexPriceKlines?<=1000 klines?<=1000 markPriceKlines?<=1000 pmAccountInfo positionRisk
  premiumIndexKlines?<=1000 symbolConfig ticker/bookTicker?all trades tradingSchedule userTrades
10: apiTradingStatus?all assetIndex?all continuousKlines?<=10000 depth?<=500 income/asyn/id indexPriceKlines?<=10000
  klines?<=10000 markPriceKlines?<=10000 order/asyn/id premiumIndexKlines?<=10000 trade/asyn/id
20: aggTrades commissionRate depth?<=1000 forceOrders rpiDepth
30: income multiAssetsMargin positionSide/dual
40: openAlgoOrders?all openOrders?all ticker/24hr?all
50: forceOrders?all stock/contract
200: historicalTrades
1000: income/asyn order/asyn trade/asyn
GET /fapi/v2/
1: account balance positionRisk ticker/price
GET /fapi/v3/
1: account balance positionRisk
POST /fapi/v1/
1: algoOrder apiReferral/customization apiReferral/userCustomization feeBurn leverage listenKey marginType
  multiAssetsMargin order/test positionMargin positionSide/dual
4: order
5: batchOrders
10: countdownCancelAll
20: convert/acceptQuote
200: convert/getQuote
PUT /fapi/v1/
1: listenKey order
5: batchOrders
""",
    "fapi-data": """
GET /futures/data/
1: basis delivery-price globalLongShortAccountRatio openInterestHist takerlongshortRatio topLongShortAccountRatio
  topLongShortPositionRatio
""",
    "papi": """
DELETE /papi/v1/
1: listenKey
5: cm/allOpenOrders cm/conditional/allOpenOrders cm/conditional/order cm/order um/algo/allOpenOrders um/algo/order
  um/allOpenOrders um/conditional/allOpenOrders um/conditional/order um/order
10: margin/order margin/orderList
25: margin/allOpenOrders
GET /papi/v1/
1: cm/leverageBracket cm/positionRisk margin/marginInterestHistory ping um/apiTradingStatus um/leverageBracket
5: cm/account cm/accountConfig cm/conditional/openOrder cm/conditional/openOrders cm/conditional/orderHistory
  cm/openOrder cm/openOrders cm/order cm/orderAmendment cm/symbolConfig margin/forceOrders margin/maxBorrowable
  margin/maxWithdraw rateLimit/order um/account um/accountConfig um/algo/algoOrder um/algo/openAlgoOrders
  um/conditional/allOrders um/conditional/openOrder um/conditional/openOrders um/conditional/orderHistory
  um/openOrder um/openOrders um/order um/orderAmendment um/positionRisk um/symbolConfig
10: margin/marginLoan margin/repayLoan um/apiTradingStatus?all um/income/asyn/id um/order/asyn/id um/trade/asyn/id
20: account balance cm/commissionRate um/commissionRate
25: cm/adlQuantile margin/myTrades margin/openOrderList margin/openOrders margin/orderList um/adlQuantile
  um/algo/allAlgoOrders um/allOrders um/userTrades
30: cm/income cm/positionSide/dual repay-futures-switch um/income um/positionSide/dual
50: margin/order portfolio/interest-history
100: cm/allOrders cm/forceOrders cm/userTrades um/forceOrders
150: um/feeBurn
200: cm/conditional/allOrders cm/conditional/openOrders?all cm/openOrders?all um/conditional/allOrders?all
  um/conditional/openOrders?all um/openOrders?all
250: cm/forceOrders?all um/forceOrders?all
500: margin/allOrderList margin/allOrders
1500: um/income/asyn um/order/asyn um/trade/asyn
GET /papi/v2/
5: um/account
POST /papi/v1/
1: cm/leverage cm/positionSide/dual listenKey um/leverage um/positionSide/dual
5: cm/conditional/order cm/order margin/order margin/order/oco um/algo/order um/conditional/order um/feeBurn
  um/order um/stock/contract
30: asset-collection
500: marginLoan repayLoan
750: auto-collection bnb-transfer repay-futures-negative-balance repay-futures-switch
15000: margin/repay-debt
PUT /papi/v1/
1: listenKey
5: cm/order um/order
""",
    "sapi": """
DELETE /sapi/v1/
1: algo/futures/order algo/spot/order margin/openOrders userDataStream userDataStream/isolated
10: broker/subAccountApi broker/subAccountApi/ipRestriction/ipList
1500: portfolio/margin-call-level
GET /sapi/v1/
1: account/apiRestrictions account/apiRestrictions/ipRestriction account/apiTradingStatus account/info
  account/status accumulator/product/list accumulator/product/position/list accumulator/product/sum-holding
  algo/futures/historicalOrders algo/futures/openOrders algo/futures/subOrders algo/spot/historicalOrders
  algo/spot/openOrders algo/spot/subOrders asset/assetDetail asset/dribblet asset/tradeFee asset/transfer
  blvt/redeem/record blvt/subscribe/record blvt/tokenInfo blvt/userLimit bnbBurn bswap/liquidity bswap/pools
  c2c/orderMatch/listUserOrderHistory capital/deposit/hisrec capital/deposit/subAddress capital/deposit/subHisrec
  dci/product/accounts dci/product/list dci/product/positions equity/market/exchangeInfo equity/market/quote
  equity/market/tokenized-assets equity/order/detail equity/order/history equity/order/open-orders
  equity/tokenized/convert-status equity/tokenized/history equity/trade/history fiat/payments futures/histDataLink
  giftcard/buyCode/token-limit giftcard/cryptography/rsa-public-key giftcard/verify lending/auto-invest/all/asset
  lending/auto-invest/history/list lending/auto-invest/index/info lending/auto-invest/index/user-summary
  lending/auto-invest/one-off/status lending/auto-invest/plan/id lending/auto-invest/plan/list
  lending/auto-invest/rebalance/history lending/auto-invest/redeem/history lending/auto-invest/source-asset/list
  lending/auto-invest/target-asset/list lending/auto-invest/target-asset/roi/list lending/daily/product/list
  lending/daily/token/position lending/daily/userLeftQuota lending/daily/userRedemptionQuota lending/project/list
  lending/project/position/list lending/union/account lending/union/interestHistory lending/union/purchaseRecord
  lending/union/redemptionRecord managed-subaccount/asset managed-subaccount/marginAsset
  managed-subaccount/queryTransLogForInvestor margin/allAssets margin/allPairs margin/crossMarginData
  margin/dribblet margin/forceLiquidationRec margin/interestHistory margin/interestRateHistory
  margin/isolated/accountLimit margin/isolated/transfer margin/isolatedMarginData margin/isolatedMarginTier
  margin/leverageBracket margin/transfer mining/pub/algoList mining/pub/coinList portfolio/account
  portfolio/asset-index-price simple-earn/flexible/history/collateralRecord staking/personalLeftQuota
  staking/position staking/productList staking/stakingRecord sub-account/futures/accountSummary
  sub-account/futures/internalTransfer sub-account/list sub-account/spotSummary sub-account/sub/transfer/history
  sub-account/transfer/subUserHistory sub-account/universalTransfer system/status
5: mining/payment/list mining/payment/uid mining/statistics/user/list mining/statistics/user/status
  mining/worker/detail mining/worker/list
10: apiReferral/customization apiReferral/ifNewUser apiReferral/kickback/historicalRecord
  apiReferral/kickback/recentRecord apiReferral/rebate/historicalRecord apiReferral/rebate/recentRecord
  apiReferral/userCustomization asset/assetDividend broker/info broker/rebate/futures/recentRecord
  broker/rebate/historicalRecord broker/rebate/recentRecord broker/subAccount broker/subAccount/bnbBurn/status
  broker/subAccount/depositHist broker/subAccount/futuresSummary broker/subAccount/marginSummary
  broker/subAccount/spotSummary broker/subAccountApi broker/subAccountApi/commission/coinFutures
  broker/subAccountApi/commission/futures broker/subAccountApi/ipRestriction broker/transfer broker/transfer/futures
  broker/universalTransfer capital/config/getall capital/deposit/address capital/deposit/address/list
  futures/transfer margin/account margin/asset margin/borrow-repay margin/isolated/account margin/isolated/allPairs
  margin/isolated/pair margin/loan margin/myTrades margin/openOrderList margin/openOrders margin/order
  margin/orderList margin/pair margin/priceIndex margin/repay margin/tradeCoeff
  sub-account/apiRestrictions/ipRestriction/thirdPartyList sub-account/futures/account
  sub-account/futures/positionRisk sub-account/margin/account sub-account/margin/accountSummary sub-account/status
20: copyTrading/futures/leadSymbol copyTrading/futures/userStatus margin/rateLimit/order portfolio/balance
  portfolio/negative-balance-exchange-record
30: portfolio/repay-futures-switch
50: margin/maxBorrowable margin/maxTransferable portfolio/collateralRate portfolio/margin-asset-leverage
  portfolio/pmloan-history
60: asset/custody/transfer-history asset/wallet/balance
100: capital/withdraw/address/list convert/assetInfo margin/capital-flow margin/crossMarginCollateralRatio
  margin/delist-schedule spot/delist-schedule
150: eth-staking/account eth-staking/eth/history/rateHistory eth-staking/eth/history/redemptionHistory
  eth-staking/eth/history/rewardsHistory eth-staking/eth/history/stakingHistory
  eth-staking/eth/history/wbethRewardsHistory eth-staking/eth/quota eth-staking/wbeth/history/unwrapHistory
  eth-staking/wbeth/history/wrapHistory simple-earn/account simple-earn/flexible/history/rateHistory
  simple-earn/flexible/history/redemptionRecord simple-earn/flexible/history/rewardsRecord
  simple-earn/flexible/history/subscriptionRecord simple-earn/flexible/list simple-earn/flexible/personalLeftQuota
  simple-earn/flexible/position simple-earn/flexible/subscriptionPreview simple-earn/locked/history/redemptionRecord
  simple-earn/locked/history/rewardsRecord simple-earn/locked/history/subscriptionRecord simple-earn/locked/list
  simple-earn/locked/personalLeftQuota simple-earn/locked/position simple-earn/locked/subscriptionPreview
  sol-staking/account sol-staking/sol/history/bnsolRewardsHistory sol-staking/sol/history/rateHistory
  sol-staking/sol/history/redemptionHistory sol-staking/sol/history/stakingHistory sol-staking/sol/quota
200: margin/allOrderList margin/allOrders
300: loan/flexible/ongoing/orders
400: loan/borrow/history loan/collateral/data loan/flexible/borrow/history loan/flexible/ltv/adjustment/history
  loan/flexible/repay/history loan/loanable/data loan/ltv/adjustment/history loan/ongoing/orders loan/repay/history
  loan/vip/collateral/data loan/vip/loanable/data loan/vip/ongoing/orders loan/vip/repay/history
500: convert/exchangeInfo
1500: portfolio/delta-mode portfolio/earn-asset-balance portfolio/margin-call-level
2400: accountSnapshot managed-subaccount/accountSnapshot
6000: loan/repay/collateral/rate loan/vip/collateral/account
GET /sapi/v2/
1: sub-account/futures/account sub-account/futures/positionRisk
10: sub-account/futures/accountSummary
20: portfolio/account
150: eth-staking/account
300: loan/flexible/ongoing/orders
400: loan/flexible/borrow/history loan/flexible/collateral/data loan/flexible/loanable/data
  loan/flexible/ltv/adjustment/history loan/flexible/repay/history
POST /sapi/v1/
1: account/disableFastWithdrawSwitch account/enableFastWithdrawSwitch accumulator/product/subscribe asset/dust-btc
  asset/get-funding-asset blvt/redeem blvt/subscribe bnbBurn capital/deposit/credit-apply
  dci/product/auto_compound/edit dci/product/subscribe equity/account/disclaimer equity/listenKey
  equity/order/cancel equity/order/cancel-all equity/order/place equity/tokenized/mint equity/tokenized/redeem
  futures/transfer giftcard/buyCode giftcard/createCode giftcard/redeemCode lending/auto-invest/one-off
  lending/auto-invest/plan/add lending/auto-invest/plan/edit lending/auto-invest/plan/edit-status
  lending/auto-invest/redeem lending/customizedFixed/purchase lending/daily/purchase lending/daily/redeem
  managed-subaccount/deposit managed-subaccount/withdraw simple-earn/flexible/redeem simple-earn/flexible/subscribe
  simple-earn/locked/redeem simple-earn/locked/subscribe staking/purchase staking/redeem staking/setAutoStaking
  sub-account/futures/enable sub-account/futures/internalTransfer sub-account/futures/transfer
  sub-account/margin/enable sub-account/options/enable sub-account/transfer/subToMaster
  sub-account/transfer/subToSub sub-account/universalTransfer sub-account/virtualSubAccount userDataStream
  userDataStream/isolated userListenToken
5: mining/hash-transfer/config mining/hash-transfer/config/cancel
10: apiReferral/customization apiReferral/kickback/historicalRecord apiReferral/rebate/historicalRecord
  apiReferral/userCustomization broker/rebate/historicalRecord broker/subAccount broker/subAccount/blvt
  broker/subAccount/bnbBurn/marginInterest broker/subAccount/bnbBurn/spot broker/subAccount/futures
  broker/subAccount/margin broker/subAccountApi broker/subAccountApi/commission
  broker/subAccountApi/commission/coinFutures broker/subAccountApi/commission/futures
  broker/subAccountApi/ipRestriction broker/subAccountApi/ipRestriction/ipList broker/subAccountApi/permission
  broker/subAccountApi/permission/universalTransfer broker/subAccountApi/permission/vanillaOptions broker/transfer
  broker/transfer/futures broker/universalTransfer
50: simple-earn/locked/setRedeemOption
60: portfolio/asset-collection
150: eth-staking/eth/redeem eth-staking/eth/stake eth-staking/wbeth/wrap simple-earn/flexible/setAutoSubscribe
  simple-earn/locked/setAutoSubscribe sol-staking/sol/redeem sol-staking/sol/stake
200: portfolio/mint portfolio/redeem
1500: portfolio/auto-collection portfolio/bnb-transfer portfolio/delta-mode portfolio/earn-asset-transfer
  portfolio/margin-call-level portfolio/repay-futures-negative-balance portfolio/repay-futures-switch
3000: margin/max-leverage
POST /sapi/v2/
150: eth-staking/eth/stake
POST /sapi/v3/
5: asset/getUserAsset
PUT /sapi/v1/
1: userDataStream userDataStream/isolated
""",
    "sapi-uid": """
DELETE /sapi/v1/
1: margin/order margin/orderList
300: margin/isolated/account
3000: sub-account/subAccountApi/ipRestriction/ipList
GET /sapi/v1/
1: managed-subaccount/deposit/address
5: asset/convert-transfer/queryByPage
50: margin/available-inventory
60: managed-subaccount/fetch-future-asset managed-subaccount/info managed-subaccount/query-trans-log
  managed-subaccount/queryTransLogForTradeParent sub-account/transaction-statistics
100: convert/orderStatus margin/exchange-small-liability margin/exchange-small-liability-history
  margin/next-hourly-interest-rate portfolio/interest-history
150: bswap/addLiquidityPreview bswap/poolConfigure bswap/quote bswap/removeLiquidityPreview
400: loan/vip/request/data loan/vip/request/interestRate
500: portfolio/pmLoan
600: asset/ledger-transfer/cloud-mining/queryByPage capital/contract/convertible-coins
1000: bswap/claimedHistory bswap/unclaimedRewards
3000: bswap/liquidityOps bswap/swap convert/limit/queryOpenOrders convert/tradeFlow margin/dust nft/history/deposit
  nft/history/transactions nft/history/withdraw nft/user/getAsset pay/transactions
  sub-account/subAccountApi/ipRestriction
6000: loan/income
12000: rebate/taxQuery
18000: capital/withdraw/history
90000: fiat/orders
GET /sapi/v3/
60: sub-account/assets
GET /sapi/v4/
60: sub-account/assets
POST /sapi/v1/
5: asset/convert-transfer
6: margin/order margin/order/oco
10: asset/dust
200: convert/getQuote convert/limit/cancelOrder
300: margin/isolated/account
500: convert/acceptQuote convert/limit/placeOrder
600: capital/contract/convertible-coins capital/withdraw/apply margin/isolated/transfer margin/transfer
  sub-account/margin/transfer
900: asset/transfer
1000: bswap/claimRewards bswap/liquidityAdd bswap/liquidityRemove bswap/swap
3000: algo/futures/newOrderTwap algo/futures/newOrderVp algo/spot/newOrderTwap margin/borrow-repay margin/dust
  margin/exchange-small-liability margin/loan margin/repay portfolio/repay
6000: loan/adjust/ltv loan/borrow loan/customize/margin_call loan/flexible/adjust/ltv loan/flexible/repay loan/repay
  loan/vip/borrow loan/vip/renew loan/vip/repay
POST /sapi/v2/
3000: sub-account/subAccountApi/ipRestriction
6000: loan/flexible/adjust/ltv loan/flexible/borrow loan/flexible/repay
""",
}


def _read(text: str) -> dict[str, int]:
    """Read one table: `METHOD /path` -> weight, a variant behind it (` all`, ` <=N`)."""
    out: dict[str, int] = {}
    head, weight = "", 0
    for line in text.split("\n"):
        first, _, rest = line.strip().partition(" ")
        if rest.startswith("/"):
            head = f"{first} {rest}"
            continue
        if first.endswith(":"):
            weight = int(first[:-1])
        else:
            rest = f"{first} {rest}"
        out |= {head + name.replace("?", " "): weight for name in rest.split()}
    return out


#: Family -> `METHOD /path` -> weight. 825 endpoints of ccxt, one of them in two of its parts.
COSTS: Final[dict[str, dict[str, int]]] = {family: _read(text) for family, text in _TEXT.items()}
#: Those of spot.
WEIGHTS: Final = COSTS["api"]
